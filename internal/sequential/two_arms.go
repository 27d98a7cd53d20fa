// Package sequential holds statistical tests that may be read at any time. An ordinary test that is
// read again and again while data comes in alarms falsely far more often than it says; these keep
// their promise over all looks together.
//
// Most rest on an e-process: a non-negative process that is 1 on average, whatever the moment, as
// long as the null hypothesis holds. By Ville's inequality it ever reaches 1/α with probability α
// at most. Values of such processes are kept as natural logarithms, called evidence, in nats.
//
// Everything here is pure: no clock, no randomness, no input or output. NaN, infinite and negative
// input is no evidence. Nothing is safe for concurrent use unless it is a plain function.
package sequential

import (
	"math"
	"slices"
)

// Question is what a TwoArms test is asked. Its zero value asks whether the exposed arm is worse at
// all, of a fault that is there from the first look.
type Question struct {
	// Worse is by how much the exposed arm's rate of bad events may exceed the control's, as a
	// share of it: 0.2 is 20%.
	Worse float64
	// Enough is the ratio that the exposed arm is to be shown to stay below, such as 2; at most 1
	// asks for nothing.
	Enough float64
	// Start is when faults may begin.
	Start Start
	// Unlike says that the arms need not be alike, such as when the second is a rate that was
	// estimated: only what was seen before the change tells their ratio.
	Unlike bool
	// Fixed says that the second arm is a limit: the looks before the change tell only whether
	// events come in bursts.
	Fixed bool
}

// TwoArms compares two arms, look by look: whether the exposed one has become worse than it may,
// and whether it has shown itself not to be. What was seen before the change tells how the arms
// compare when nothing changes, and whether chance alone explains how events split between them.
// Where it does, the likelihood is used (Grid), else bets are made (bets); where it may, both must
// show it.
type TwoArms struct {
	question Question
	nodes    []node
	// before is the dispersion before the change, jitter that since; control is the control's own
	// before the change.
	before, control Dispersion
	jitter          Jitter
	// suspicion is how likely bursts of one arm are, from before the change.
	suspicion float64
	// incident is how many looks before the change are left out.
	incident int
	// span is how many looks in a row are one bet.
	span  int
	looks int
	whole Pair
	// fair is how many of the bad events would be the exposed arm's if both arms were alike.
	fair float64
}

// node is the test under the assumption that the arms' rates had one ratio before.
type node struct {
	candidate
	// bettingPrior is the same for bets.
	bettingPrior candidate
	grid         *Grid
	bets         *bets
	// thinned is the grid on a small part of the events, for harm that is too large to be a burst:
	// bets find it no faster than any other.
	thinned *Grid
	// null and enough are log-likelihoods of what was seen since, but for a common constant, at the
	// largest ratio that is allowed and at what must be excluded.
	null, enough, unchanged float64
}

// weights of the ratios of a Grid in TwoArms: most on what is common, since every doubling of a
// weight finds such a fault earlier.
func commonFirst() []float64 { return []float64{0.06, 0.16, 0.26, 0.2, 0.14, 0.13, 0.05} }

// NewTwoArms readies a test, with the looks from before the change; none, where nothing is known.
func NewTwoArms(q Question, before []Pair) *TwoArms {
	t := &TwoArms{question: q}
	before = tidy(before)
	all := len(before)
	own := !q.Fixed && !q.Unlike
	before = withoutIncident(before, own)
	t.incident = all - len(before)
	t.before, t.span = BurstSpan(before)
	t.suspicion = suspicion(before, own)
	if own {
		t.control = controlDispersion(before)
	}
	calm, wild := t.centres(before)
	for i, n := range calm {
		null, wildNull := n.Ratio*(1+q.Worse), wild[i].Ratio*(1+q.Worse)
		t.nodes = append(t.nodes, node{
			candidate: n, grid: NewGrid(null, Ratios(), commonFirst(), q.Start),
			bettingPrior: wild[i], bets: newBets(wildNull, q.Start, t.span), thinned: NewGrid(wildNull, Ratios(), commonFirst(), q.Start),
		})
	}
	return t
}

// centres are what is believed of the ratio before, for the likelihood and for bets: as many nodes
// for either.
func (t *TwoArms) centres(before []Pair) (calm, wild []candidate) {
	if t.question.Fixed {
		one := []candidate{{Ratio: 1, Weight: 1}}
		return one, one
	}
	calm = centre(before, t.before.Factor, !t.question.Unlike)
	wild, ok := splitCentre(before, !t.question.Unlike)
	if !ok {
		wild = calm
	}
	return calm, wild
}

// See takes the next look: the arms as a whole, or each of the strata in which they are compared. A
// stratum in which an arm was not seen is no evidence.
func (t *TwoArms) See(strata ...Pair) {
	t.looks++
	var whole Pair
	strata = slices.DeleteFunc(tidy(strata), func(p Pair) bool { return !p.usable() })
	for _, p := range strata {
		whole = whole.Plus(p)
		t.fair += p.bad() * p.share(1)
	}
	t.jitter.See(whole)
	t.whole = t.whole.Plus(whole)
	for i := range t.nodes {
		t.nodes[i].see(strata, t.question, t.thinning())
	}
}

func (n *node) see(strata []Pair, q Question, blunt float64) {
	n.grid.See(strata...)
	n.bets.See(strata...)
	n.thinned.see(strata, blunt)
	for _, p := range strata {
		n.null += likelihood(p, n.Ratio*(1+q.Worse))
		n.unchanged += likelihood(p, n.Ratio)
		n.enough += likelihood(p, n.Ratio*max(1, q.Enough))
	}
}

// UsualBurst is how many events are taken to come together where nothing is known of that.
const UsualBurst = 4

// A blunt test counts wide times fewer events than dispersion alone would have it, since bursts
// have heavy tails; sharp is the part of the prior that bets have beside it. The control shows how
// large bursts are better than the split does.
const (
	wide  = 3
	sharp = 0.75
)

// thinning is how many events of a burst count as one.
func (t *TwoArms) thinning() float64 {
	if t.before.Known() {
		return wide * max(2, t.before.High(), t.control.Factor)
	}
	return wide * max(UsualBurst, t.before.High())
}

// likelihood is the logarithm of how likely a look's split is at a ratio, but for a term that is
// the same for all ratios.
func likelihood(p Pair, ratio float64) float64 {
	return p.Exposed.Bad*math.Log(ratio) - p.bad()*math.Log((ratio*p.Exposed.Total+p.Control.Total)/(p.Exposed.Total+p.Control.Total))
}

// Bursts says that bets are made, since chance alone does not explain how events split between the
// arms, or too little was seen to know.
func (t *TwoArms) Bursts() bool { return t.suspicion > 0.5 }

// Span is how many looks in a row are one bet, where bets are made.
func (t *TwoArms) Span() int { return t.span }

// Incident is how many of the looks before the change are left out, since something happened in
// them that did not happen again.
func (t *TwoArms) Incident() int { return t.incident }

// Since is the dispersion of neighbouring looks since the change.
func (t *TwoArms) Since() Dispersion { return t.jitter.Dispersion() }

// Dispersion is that before the change.
func (t *TwoArms) Dispersion() Dispersion { return t.before }

// Evidence that the exposed arm is worse than it may be, in nats: at log(1/α) the probability of a
// false alarm, ever, is α at most. It is the harmonic mean of what the likelihood and bets show,
// weighted by how likely bursts are: both must refute that nothing is worse, either the more the
// likelier it is to be the right one.
func (t *TwoArms) Evidence() float64 {
	return -logSum(math.Log(max(1-t.suspicion, tiny))-t.Independent(), math.Log(max(t.suspicion, tiny))-t.ventured())
}

// Independent is the evidence if events were known to be independent: of no worth on its own where
// Bursts holds.
func (t *TwoArms) Independent() float64 {
	out := t.belief()
	for i, n := range t.nodes {
		out[i] += n.grid.Evidence()
	}
	return logSum(out...)
}

// ventured is the evidence of bets: the harmonic mean over the nodes. Every node must be refuted in
// proportion to its weight, and what bets win of nodes that nobody believes in counts for nothing.
// (Beliefs cannot be weighed by likelihood here, since it does not hold.)
func (t *TwoArms) ventured() float64 {
	out := make([]float64, len(t.nodes))
	for i, n := range t.nodes {
		out[i] = math.Log(n.bettingPrior.Weight) - logSum(math.Log(sharp)+n.bets.Evidence(), math.Log(1-sharp)+n.thinned.Evidence())
	}
	return -logSum(out...)
}

// belief is how likely each node is, in logarithms, given what was seen since: only a node that
// allows less than was seen becomes less likely.
func (t *TwoArms) belief() []float64 {
	out := make([]float64, len(t.nodes))
	best := math.Inf(-1)
	for i, n := range t.nodes { // ratios ascend
		best = max(best, n.null)
		out[i] = math.Log(n.Weight) + best
	}
	whole := logSum(out...)
	for i := range out {
		out[i] -= whole
	}
	return out
}

// Shown is the evidence that the exposed arm is less than Question.Enough times worse, in nats.
func (t *TwoArms) Shown() float64 {
	if t.question.Enough <= 1 {
		return 0
	}
	temper := max(t.before.High(), t.jitter.Dispersion().High())
	doubt := 0.0
	for _, n := range t.nodes {
		less := min(0, n.enough-n.unchanged)
		doubt += n.Weight * ((1-t.suspicion)*math.Exp(less) + t.suspicion*math.Exp(less/temper))
	}
	return -math.Log(max(doubt, 1e-300))
}

// Ratio estimates how many times the rate that was usual for it, compared with the control, the
// exposed arm's now is.
func (t *TwoArms) Ratio() float64 { return t.Times(t.whole) }

// Times is Ratio by a sum of looks alone.
func (t *TwoArms) Times(p Pair) float64 {
	usual := 0.0
	for _, n := range t.nodes {
		usual += n.Weight * math.Log(n.Ratio)
	}
	return RateRatio([]Pair{p}) / math.Exp(usual)
}

// Least is the smallest ratio, in times of what was usual, that what was seen by now does not
// refute: a larger one would show fewer bad events in e^-nats of cases at least, if they come size
// at a time (Chernoff's bound; Hoeffding has it for shares that differ between looks, too). It is 0
// where nothing is refuted. Unlike Evidence it is read once.
func (t *TwoArms) Least(nats, size float64) float64 {
	low, high := -furthest, furthest
	if t.Refutes(t.level(), math.Exp(low), size) <= nats {
		return 0
	}
	for range 30 {
		if middle := (low + high) / 2; t.Refutes(t.level(), math.Exp(middle), size) > nats {
			low = middle
		} else {
			high = middle
		}
	}
	return math.Exp(low)
}

// Refutes is the evidence of a sum of looks, read once, against a ratio in times of the usual:
// against all that the usual may have been, and if events come size at a time.
func (t *TwoArms) Refutes(p Pair, ratio, size float64) float64 {
	doubts := make([]float64, len(t.nodes))
	for i, n := range t.nodes {
		doubts[i] = math.Log(n.Weight) - Likelier(p, n.Ratio*ratio)/size
	}
	return -logSum(doubts...)
}

// level is all that was seen, as if the arms' shares had been the same in every look.
func (t *TwoArms) level() Pair {
	z := t.whole.bad()
	if z <= 0 {
		return Pair{}
	}
	share := t.fair / z
	return Pair{Exposed: Counts{t.whole.Exposed.Bad, share}, Control: Counts{t.whole.Control.Bad, 1 - share}}
}

// Fairly is a sum of looks with the control's exposure such that the arms' shares are those of all
// that was seen, in strata.
func (t *TwoArms) Fairly(p Pair) Pair {
	if all, seen := t.level(), t.whole; all.Exposed.Total > 0 && seen.Control.Total > 0 {
		p.Control.Total *= all.Control.Total / all.Exposed.Total * seen.Exposed.Total / seen.Control.Total
	}
	return p
}

// Naive is the evidence at this look alone if the arms were alike before, and events independent.
func (t *TwoArms) Naive() float64 { return Likelier(t.level(), 1+t.question.Worse) }

// Looks is how many there were since the change.
func (t *TwoArms) Looks() int { return t.looks }

// Seen is the sum of all looks since the change.
func (t *TwoArms) Seen() Pair { return t.whole }
