package health

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/numeral"
	"github.com/sluicehq/sluice/internal/spec"
)

// Baseline is what a stage's targets showed before it was applied. Its zero value
// was not measured: nothing can be compared with it.
type Baseline struct {
	// From and At span what was measured.
	From time.Time `json:"from,omitzero"`
	At   time.Time `json:"at,omitzero"`
	// Requests of the targets that the stage will have exposed, and of the others,
	// in that time, both scaled from the sample to the whole arm.
	Exposed float64 `json:"exposed,omitempty"`
	Control float64 `json:"control,omitempty"`
	// Traffic says why requests could not be counted; empty when they were.
	Traffic string `json:"traffic,omitempty"`
	// Bursts is how many requests count as one, since they come together: 1 where they
	// do not. Less counts as 1.
	Bursts float64 `json:"bursts,omitempty"`
	// Density is how many samples per second the source had of the requests of a
	// target; 0 where it does not tell.
	Density float64 `json:"density,omitempty"`
	// Past is what checks that compare counted before, by name.
	Past map[string]Past `json:"past,omitempty"`
	// Means are what targets showed on average before, by check that compares means and
	// by target, and Histograms what those that compare histograms counted.
	Means      map[string]map[string]float64 `json:"means,omitempty"`
	Histograms map[string]PastHistograms     `json:"histograms,omitempty"`
	// Ratios are the events of the targets by check of each, for a comparison when no
	// control is left.
	Ratios map[string]Ratio `json:"ratios,omitempty"`
	// Missing are, by check, the targets that a check of each found without data, at
	// most 200: without data later, they show no harm. It is empty when those were
	// most of them.
	Missing map[string][]string `json:"missing,omitempty"`
	// Alerts are what fired, by check.
	Alerts map[string]Firing `json:"alerts,omitempty"`
}

// Ratio is a check's events before a stage.
type Ratio struct {
	Bad   float64 `json:"bad"`
	Total float64 `json:"total"`
	// Missing says why they were not counted; empty when they were.
	Missing string `json:"missing,omitempty"`
}

// ratio is the baseline of a check as a judge compares with it.
func (b Baseline) ratio(check string) ratio {
	r, ok := b.Ratios[check]
	if !ok {
		r.Missing = "it was not measured before the stage"
	}
	if r.Missing != "" {
		return ratio{total: noData("", "nothing to compare with: %s", r.Missing)}
	}
	return ratio{bad: reading{value: r.Bad}, total: reading{value: r.Total}}
}

// Measuring a baseline: how often one that lacks something is measured again, and
// how long after the first. What nobody measured before a stage is unknown for all
// of it, so targets or a source that just restart are worth waiting for.
const (
	baselineAttempts = 3
	baselinePatience = time.Minute
)

// Baseline measures the stage's targets before it is applied. Its error is only
// ctx's: what cannot be measured is said in the answer. A Meter that has measured
// a baseline is not for looks: they begin with another one.
func (m *Meter) Baseline(ctx context.Context, at time.Time) (Baseline, error) {
	began := time.Now()
	for n := 1; ; n++ {
		b, err := m.measure(ctx, at.Add(time.Since(began)))
		if err != nil || !b.lacks() || n == baselineAttempts || time.Since(began) > baselinePatience {
			return b, err
		}
		if err := pause(ctx, m.spec.Every.Std()); err != nil {
			return Baseline{}, err
		}
	}
}

// lacks says whether something could not be measured.
func (b Baseline) lacks() bool {
	for _, r := range b.Ratios {
		if r.Missing != "" {
			return true
		}
	}
	for _, p := range b.Past {
		if p.Missing != "" {
			return true
		}
	}
	for _, f := range b.Alerts {
		if f.Missing != "" {
			return true
		}
	}
	return b.Traffic != ""
}

// measure measures a baseline once.
func (m *Meter) measure(ctx context.Context, at time.Time) (Baseline, error) {
	m.binding.Since = time.Time{} // nothing has been applied yet
	m.source.before()
	w, err := m.source.baseline(ctx, at)
	if err != nil {
		return Baseline{}, err
	}
	b := Baseline{From: w.from, At: w.at}
	b.Missing, b.Alerts, b.Past = m.missing(ctx, w), m.firingBefore(ctx), m.history(ctx, w)
	b.Means, b.Histograms = m.pastMeans(ctx, w), m.pastHistograms(ctx, w)
	for _, c := range m.spec.Checks {
		if c.Against == "" || c.Each == "" || len(m.binding.Control) > 0 {
			continue
		}
		r := m.ratio(ctx, c, exposed, w)
		kept := Ratio{Bad: r.bad.value, Total: r.total.value}
		if r.total.verdict != "" {
			kept.Missing = r.total.why
		} else if r.bad.verdict != "" {
			kept.Missing = r.bad.why
		}
		if b.Ratios == nil {
			b.Ratios = map[string]Ratio{}
		}
		b.Ratios[c.Name] = kept
	}
	if !slices.Contains(m.spec.Without, spec.CheckTraffic) {
		r := m.requests(ctx, w)
		b.Bursts = m.bursts(ctx, w.at)
		if len(m.binding.Control) == 0 {
			b.Density = m.source.density(ctx, m.spec.Traffic, w)
		}
		b.Exposed, b.Control, b.Traffic = r.mine, r.others, cmp.Or(r.trouble.why, r.doubt.why)
	}
	return b, ctx.Err()
}

// maxMissing bounds how many targets without data a baseline names for a check, and
// maxAllMissing for all of them: it goes into the rollout's history.
const (
	maxMissing    = 200
	maxAllMissing = 2000
)

// missing finds the targets that have no data before the stage.
func (m *Meter) missing(ctx context.Context, w window) map[string][]string {
	var out map[string][]string
	all := 0
	for _, c := range m.spec.Checks {
		if c.Each == "" && !c.Means() {
			continue
		}
		e := m.everyone(ctx, c, w)
		t := e.tally(c)
		n := len(t.unknown)
		if n == 0 || 2*n >= len(e.targets) || n > maxMissing || all+n > maxAllMissing {
			continue
		}
		if out == nil {
			out = map[string][]string{}
		}
		for _, v := range t.unknown {
			out[c.Name] = append(out[c.Name], v.id)
		}
		all += n
	}
	return out
}

// requests are both arms' requests in a window, scaled to whole arms.
type requests struct {
	mine, others float64
	span         time.Duration
	// trouble is the verdict when they could not be counted.
	trouble reading
	// doubt is why the exposed targets' count, though it may show that they lost
	// their share, cannot show that they kept it; empty otherwise.
	doubt reading
	// lost says that the exposed targets have no series at all.
	lost bool
	// from are the readings, for evidence.
	from []reading
}

// requests counts both arms' requests in the window.
func (m *Meter) requests(ctx context.Context, w window) requests {
	compared := len(m.binding.Control) > 0
	e := m.source.count(ctx, m.spec.Traffic, exposed, w, lackIsUnknown)
	if e.covered == 0 && e.steady == nil && e.verdict == "" {
		e.covered = m.covered(ctx, w)
	}
	r := requests{span: e.span, from: []reading{e}}
	switch {
	case e.empty: // no request was counted at all
		r.lost, r.span = true, w.length()
	case e.verdict == Stale && compared:
		r.doubt = e
	case e.verdict != "":
		r.trouble = e
		return r
	}
	r.mine = m.whole(e, exposed)
	if compared {
		c := m.source.count(ctx, m.spec.Traffic, control, w, lackIsUnknown)
		r.from = append(r.from, c)
		if r.others, r.span = m.whole(c, control), max(r.span, c.span); c.verdict != "" {
			r.trouble = c
		}
		if r.lost {
			r.span = c.span
		}
	}
	for _, part := range r.from {
		if (part.covered > 0 || part.steady != nil) && part.covered < minCovered && r.trouble.verdict == "" {
			r.trouble = noData(part.query, "the targets were read only %s of the time, too little to count requests", numeral.Percent(max(0, part.covered)))
		}
	}
	return r
}

// whole scales a count from the targets and the time that were read to all.
func (m *Meter) whole(r reading, a arm) float64 {
	read, of := m.source.coverage(m.spec.Traffic, a)
	v := r.value
	if r.steady != nil {
		v = max(0, *r.steady)
	}
	switch {
	case r.covered > 0:
		v /= r.covered
	case r.steady != nil: // nothing is known
		return 0
	}
	return v * float64(of) / float64(max(1, read))
}

// Limits of the share-of-traffic check.
const (
	// shareKept is how much of its share before the stage the exposed targets must
	// keep. Half: load balancing moves shares by less, and a cohort that is gone
	// loses all of it.
	shareKept = 0.5
	// minCovered is how much of the time the targets must have been readable for a
	// count of their requests to be scaled up to all of it.
	minCovered = 0.5
)

// traffic judges whether the exposed targets still get their share.
func (m *Meter) traffic(ctx context.Context, w window) Result {
	r := m.requests(ctx, w)
	res := Result{Check: spec.CheckTraffic, Samples: r.mine}
	for _, from := range r.from {
		res.evidence(from)
	}
	if r.trouble.verdict != "" {
		return res.without(r.trouble)
	}
	if least := m.source.absence(); r.span < least {
		return res.without(reading{verdict: Unexercised, why: fmt.Sprintf(
			"requests were counted for %s, at least %s are needed to tell that they are missing", r.span.Round(time.Millisecond), least)})
	}
	res = judgeTraffic(res, m.binding.Before, r, len(m.binding.Control) > 0, m.trafficLevel())
	if least := m.source.settling(); res.Verdict == Fail && r.span < least {
		res.Verdict = Unexercised
		res.Sentence += fmt.Sprintf("; requests were counted for %s, at least %s are needed to tell a loss from a restart", r.span.Round(time.Millisecond), least)
	}
	res.Sentence += m.sampled(m.spec.Traffic)
	return res
}

// trafficLevel is how likely a look may be, at most, to take chance for a loss: looks
// share what the stage has.
func (m *Meter) trafficLevel() float64 {
	looks := max(1, m.binding.Bake/max(1, m.spec.Every.Std()))
	return m.spec.Budget(spec.CheckTraffic, m.binding.Stages) / float64(looks)
}

// judgeTraffic compares requests with those expected from before the stage: by
// share where a control is left, by rate where none is. Harm is that less is left than
// may be, and that chance does not explain it at a level.
func judgeTraffic(res Result, b Baseline, r requests, hasControl bool, level float64) Result {
	if b.Traffic != "" || b.At.IsZero() {
		why := b.Traffic
		if why == "" {
			why = "it was not measured"
		}
		return res.without(noData("", "traffic before the stage is unknown: %s", why))
	}
	measured := b.At.Sub(b.From).Seconds()
	switch {
	case measured <= 0 || r.span <= 0:
		return res.without(noData("", "requests were counted over no time"))
	case b.Exposed == 0 && r.mine == 0:
		return res.without(reading{verdict: Unexercised, why: "the exposed targets had no traffic before the stage and have none now"})
	case r.lost && !hasControl:
		return res.without(noData("", "no series of the query is left: missing traffic cannot be told from missing metrics"))
	}
	var value, before, expected, chance float64
	words := "%s of all requests, %s before the stage"
	if hasControl {
		value, before = share(r.mine, r.others), share(b.Exposed, b.Control)
		expected = before * (r.mine + r.others)
		chance = fewByChance(r.mine, r.mine+r.others, before*certainty(b), b.Bursts)
	} else {
		before = b.Exposed / measured
		value, expected = r.mine/r.span.Seconds(), before*r.span.Seconds()
		chance = fewByChance(r.mine, r.mine+b.Exposed, r.span.Seconds()/(r.span.Seconds()+measured), b.Bursts)
		words = "%s requests/s, %s before the stage" + weaker
	}
	limit := before * shareKept * certainty(b)
	res.Value, res.Limit = &value, &limit
	say := numeral.Plain
	if hasControl {
		say = numeral.Percent
	}
	res.Sentence = fmt.Sprintf(words, say(value), say(before))
	own := ownRate(b, r, level)
	switch {
	case value >= limit && hasControl && own.collapsed:
		res.Verdict, res.Value, res.Limit = Fail, &own.value, &own.limit
		res.Sentence = fmt.Sprintf("%s requests/s, %s expected from before the stage; less than %s is left", numeral.Plain(own.value), numeral.Plain(own.expected), numeral.Percent(shareKept))
	case value >= limit && r.mine > 0 && r.doubt.verdict != "":
		return res.without(r.doubt)
	case value >= limit && r.mine > 0:
		res.Verdict = Pass
	case chance > level || expected <= 0:
		res.Verdict = Unexercised
		res.Sentence += fmt.Sprintf("; %s requests expected, too few for their absence to mean anything", numeral.Integer(expected))
	default:
		res.Verdict = Fail
		res.Sentence += fmt.Sprintf("; less than %s is left", numeral.Percent(shareKept))
	}
	return res
}

// rate is how many requests per second the exposed targets get.
type rate struct {
	value, expected, limit float64
	collapsed              bool
}

// ownRate compares the exposed targets' rate with their own before the stage, less
// what the control lost meanwhile, too. A share alone does not tell once most of
// the fleet is exposed: they keep most of the requests whatever they lose.
func ownRate(b Baseline, r requests, level float64) rate {
	measured, span := b.At.Sub(b.From).Seconds(), r.span.Seconds()
	kept := 1.0
	if b.Control > 0 {
		kept = min(1, r.others/span/(b.Control/measured))
	}
	out := rate{value: r.mine / span, expected: b.Exposed / measured * kept}
	out.limit = out.expected * shareKept * certainty(b)
	chance := fewByChance(r.mine, r.mine+b.Exposed, kept*span/(kept*span+measured), b.Bursts)
	out.collapsed = out.value < out.limit && chance <= level
	return out
}

// certainty is how much of the exposed targets' count before the stage is beyond chance:
// three standard deviations of Poisson noise below it. What was measured on few requests
// says little of a rate.
func certainty(b Baseline) float64 {
	requests := b.Exposed / max(1, b.Bursts)
	if requests <= 0 {
		return 0
	}
	return max(0, 1-3/math.Sqrt(requests))
}

func share(mine, others float64) float64 {
	if mine+others == 0 {
		return 0
	}
	return mine / (mine + others)
}
