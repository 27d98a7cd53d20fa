// Package judge answers whether a change does harm, from what was counted before and since: a
// verdict with its evidence in words. It may be asked after every look, and keeps its rate of false
// alarms over all of them. It is pure: it knows no clock, no network, no source of numbers and
// nothing of Temporal.
package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// Judge judges bad events out of all, look by look: two arms, or one and an objective. Build it
// with New. It is not safe for concurrent use.
type Judge struct {
	criteria     Criteria
	test         *sequential.TwoArms
	traffic      traffic
	selfBaseline selfBaseline
	// pastLooks is in how many looks both arms were seen before the change, past how long a time
	// those are, and usual what they showed then.
	pastLooks int
	past      time.Duration
	usual     sequential.Pair
	armsSeen
	// evidence of harm, now and at its highest.
	evidence, peak float64
	// tested is the test's evidence, and leap the most that a look added to it.
	tested, leap float64
	trace        Trace
	// stain is of the time before the change.
	stain stain
	// there is in how many looks both arms were.
	there int
	// futile says why nothing can ever be judged; empty where something can.
	futile string
	// shown says that enough was seen to end a bake, words what was seen, and least what Ratio is
	// at least, but for chance that is as rare as doubted. An objective has its own.
	shown func() bool
	words func(Outcome) string
	least func(doubted float64) float64
}

// Verdict is the answer to one check. Only Pass promotes.
type Verdict string

// The five verdicts.
const (
	// Pass: enough data, no harm.
	Pass Verdict = "PASS"
	// Fail: harm is established.
	Fail Verdict = "FAIL"
	// NoData: the source answered nothing usable.
	NoData Verdict = "NODATA"
	// Stale: the newest sample is too old.
	Stale Verdict = "STALE"
	// Unexercised: too little traffic for passing to mean anything.
	Unexercised Verdict = "UNEXERCISED"
)

// Outcome is a verdict with its evidence.
type Outcome struct {
	Verdict Verdict
	// At is when it was decided, since the change.
	At time.Duration
	// LnE is the evidence of harm in nats, and Needed at how much of it the check fails. P is the
	// probability that chance ever shows so much as was seen: it only falls.
	LnE, Needed, P float64
	// Ratio is the estimate of how many times worse than usual the exposed arm is, compared with
	// the other; 1 where nothing is known.
	Ratio float64
	// Least is how many times at least, where Ratio is more than allowed: a smaller one hardly
	// shows what was seen. Is it more than allowed, too, nothing passes; else chance explains it.
	Least float64
	// Shown says that it has shown enough to end a bake early.
	Shown bool
	// Samples is how many events of the exposed arm it rests on.
	Samples float64
	// Suspicion says with a number why no harm is established and yet too much is seen to call it
	// nothing: "p 0.03". It is empty where nothing is suspicious.
	Suspicion string
	// Evidence is one sentence with numbers.
	Evidence string
	// Trace is how both arms did over time.
	Trace Trace
}

// New readies the judge that criteria ask for, with the looks before the change; none, where
// nothing is known of then.
func New(c Criteria, before []ArmCounts) *Judge {
	if c.Objective > 0 {
		return newObjective(c, before).Judge
	}
	return newComparison(c, before)
}

func newComparison(c Criteria, before []ArmCounts) *Judge {
	if c.Before {
		before = sinceShift(before)
	}
	j := &Judge{criteria: c, traffic: newTraffic(c, before), selfBaseline: newSelfBaseline(before, c.Daily)}
	if c.Before || c.limit() > 0 {
		before = j.selfBaseline.all(before)
	}
	past := pairs(before)
	j.test, j.pastLooks, j.past = sequential.NewTwoArms(c.question(), past), len(past), spanned(before)
	j.stain = newStain(c, before)
	for _, p := range past {
		j.usual = j.usual.Plus(p)
	}
	j.shown, j.words = j.enough, j.compared
	j.least = func(doubted float64) float64 { return j.test.Least(nats(min(1, bounds*doubted)), j.burst()) }
	return j
}

// See takes the next look: the arms as a whole, or each of the strata in which they are compared,
// all at the same moment.
func (j *Judge) See(strata ...ArmCounts) {
	var seen []sequential.Pair
	for _, l := range strata {
		if sane(l.Exposed) {
			j.Seen = l.At
		}
		if p, ok := l.pair(); ok {
			j.traffic.see(p)
		}
		switch limit := j.criteria.limit(); {
		case limit > 0:
			l = rated(l, limit)
		case j.criteria.Before:
			l = j.selfBaseline.against(l)
		}
		if p, ok := l.pair(); ok {
			seen = append(seen, p)
			j.Any, j.Newest = true, l.At
			if p.Control.Total == 0 {
				j.Alone += p.Exposed.Total
			}
		}
	}
	j.test.See(seen...) // also without arms, since it counts looks
	if len(seen) > 0 {
		j.there++
		var whole sequential.Pair
		for _, p := range seen {
			whole = whole.Plus(p)
		}
		j.trace = j.trace.add(whole)
	}
	now := j.test.Evidence()
	j.leap = max(j.leap, now-j.tested)
	j.tested = now
	j.evidence = now - max(0, j.leap-oneLook*nats(j.criteria.Alpha))
	j.peak = max(j.peak, j.evidence)
}

// oneLook is how much of the evidence that FAIL takes a look may add: a program that restarts fails
// much in one look, and not in the next. What is left out makes chance no likelier.
const oneLook = 0.5

// Outcome is the verdict at a moment since the change: whether there is harm, and else whether
// enough was seen for its absence to mean something.
func (j *Judge) Outcome(at time.Duration) Outcome { return j.outcome(at, true) }

// outcome is Outcome. Words for what was compared can be spared, as most looks of a series are
// shown to nobody.
func (j *Judge) outcome(at time.Duration, worded bool) Outcome {
	if j.futile != "" {
		return Outcome{Verdict: NoData, At: at, P: 1, Ratio: 1, Needed: nats(j.criteria.Alpha), Evidence: j.futile}
	}
	seen := j.test.Seen()
	out := Outcome{
		At: at, LnE: max(j.evidence, -maxEvidence), P: math.Exp(-j.peak), Needed: nats(j.criteria.Alpha),
		Ratio: j.test.Ratio(), Samples: seen.Exposed.Total,
		Shown: j.shown(),
	}
	if j.nothingBad() {
		out.Ratio = 1
	}
	if above := out.Ratio > j.criteria.allowed(); above && (worded || out.Shown) {
		out.Least = j.least(j.criteria.doubted(at))
	}
	if worded {
		out.Trace = slices.Clone(j.trace)
	}
	compared := func() string {
		if !worded {
			return ""
		}
		return j.words(out)
	}
	need := j.criteria.need()
	absent, why := j.absent(j.criteria, at)
	hidden := 0.0
	switch {
	case math.IsNaN(out.LnE): // never seen; were it, nothing may pass
		out.Verdict, out.Evidence, out.LnE, out.P = NoData, "what was seen is no number to judge by", 0, 1
	case j.Any && out.LnE >= out.Needed:
		out.Verdict = Fail
		out.Evidence = compared()
	case j.traffic.lost != "":
		out.Verdict, out.Evidence = Fail, j.traffic.lost
	case absent != "":
		out.Verdict, out.Evidence = absent, why
	case 2*j.there < j.test.Looks():
		out.Verdict = Unexercised
		out.Evidence = fmt.Sprintf("both arms were seen in %d of %d looks, at least half are needed", j.there, j.test.Looks())
	case j.Alone > seen.Exposed.Total: // what was seen alone is not in it
		out.Verdict = Unexercised
		out.Evidence = fmt.Sprintf(
			"%s of the %s events of the exposed targets came while %s had none: there is nothing to compare them with",
			humanize.Integer(j.Alone), humanize.Integer(j.Alone+seen.Exposed.Total), j.criteria.other(),
		)
	case seen.Exposed.Total < need || j.otherArm(seen).Total < need:
		out.Verdict, out.Evidence = Unexercised, j.few(need)
	default:
		hidden = j.unharmed(&out, worded)
		out.Evidence = compared() + out.Evidence
	}
	if worded && (out.Verdict == Pass || out.Verdict == Unexercised) {
		out.Suspicion = j.suspicion(out, hidden)
	}
	return out
}

// nothingBad says that neither arm showed a bad event, so that how many times worse one is tells
// nothing.
func (j *Judge) nothingBad() bool {
	seen := j.test.Seen()
	return j.criteria.limit() == 0 && seen.Exposed.Bad+j.otherArm(seen).Bad == 0
}

// unharmed makes an outcome without harm a PASS, unless that is doubted: then the evidence says
// why. It answers what an incident before the change hides.
func (j *Judge) unharmed(out *Outcome, worded bool) (hidden float64) {
	if worded || out.Shown {
		hidden = j.hidden()
	}
	out.Verdict, out.Evidence = Pass, j.doubt(*out, hidden)
	if out.Evidence != "" {
		out.Verdict, out.Shown = Unexercised, false
	}
	return hidden
}

// enough says that the exposed arm is shown to be less than Criteria.Enough times worse.
func (j *Judge) enough() bool {
	return j.criteria.Enough > 1 && j.test.Shown() >= nats(j.criteria.Risk)
}

// maxEvidence keeps evidence finite.
const maxEvidence = 1e300

// ComparisonState is what a Judge has seen, small enough for a heartbeat. Its zero value has seen
// nothing.
type ComparisonState struct {
	Test sequential.TwoArmsState `json:"test"`
	armsSeen
	// LnE is the evidence of harm in nats, and Peak the most that there ever was.
	LnE   float64 `json:"lnE,omitempty"`
	Peak  float64 `json:"peak,omitempty"`
	Leap  float64 `json:"leap,omitempty"`
	There int     `json:"there,omitempty"`
	Trace Trace   `json:"trace,omitempty"`
}

// State is what was seen so far. It does not hold the share of requests.
func (j *Judge) State() ComparisonState {
	return ComparisonState{
		Test: j.test.State(), armsSeen: j.armsSeen, LnE: j.evidence, Peak: j.peak, Leap: j.leap, There: j.there, Trace: slices.Clone(j.trace),
	}
}

// Restore goes on from the state of a Judge by the same criteria, with the same looks before the
// change. It answers whether it was one; if not, nothing changes.
func (j *Judge) Restore(s ComparisonState) bool {
	if !j.test.Restore(s.Test) {
		return false
	}
	j.tested = j.test.Evidence()
	j.armsSeen, j.evidence, j.peak, j.leap, j.there, j.trace = s.armsSeen, s.LnE, s.Peak, s.Leap, s.There, slices.Clone(s.Trace)
	return true
}
