package health

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/numeral"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// comparison is a check of two arms over the looks of a stage.
type comparison struct {
	judge *judge.Comparison
	// upto is until when events are counted already.
	upto time.Time
	// owed are events that were counted too many before, by arm and counter: sources
	// that estimate take them back later.
	owed [2][2]float64
}

// CompareState is what a comparison must remember between looks.
type CompareState struct {
	judge.ComparisonState
	Upto time.Time     `json:"upto,omitzero"`
	Owed [2][2]float64 `json:"owed"`
}

// compares says that a check is a comparison that adds up look by look.
func compares(c spec.Check) bool { return c.Each == "" && c.Counts() && c.Against != "" }

// alone says that a check compares with the time before the stage, since it asks for
// that, or since no control is left.
func (m *Meter) alone(c spec.Check) bool {
	return c.Against == spec.AgainstBefore || len(m.binding.Control) == 0
}

// criteria are what a check is judged by.
func (m *Meter) criteria(c spec.Check) judge.Criteria {
	out := judge.Criteria{
		Worse: number(c.Worse), Before: m.alone(c), Alpha: m.spec.Budget(c.Name, m.binding.Stages),
		Every: m.spec.Every.Std(), Bake: m.binding.Bake, MinSamples: float64(c.MinSamples),
	}
	if a := m.binding.Adaptive; a != nil {
		out.Enough, out.Risk = float64(a.Enough), float64(a.Risk)
	}
	if m.binding.Recovering {
		out.Enough, out.Risk = recovered*(1+out.Worse), recoveredRisk
	}
	if m.unchanged() { // what was there before is no regression, unless it is large
		out.Worse += preflightWorse
	}
	return out
}

// preflightWorse is by how much more targets may differ before anything is changed.
const preflightWorse = 1

// Targets that were taken back are well again when they have shown to be less than so
// many times as bad as they may be.
const (
	recovered     = 2
	recoveredRisk = 0.05
)

// unchanged says that nothing was applied yet.
func (m *Meter) unchanged() bool { return m.binding.Since.IsZero() }

// openComparisons readies the checks that compare.
func (m *Meter) openComparisons() {
	m.comparisons = map[string]*comparison{}
	for _, c := range m.spec.Checks {
		if compares(c) {
			m.comparisons[c.Name] = &comparison{judge: judge.NewComparison(m.criteria(c), m.binding.Before.looks(c.Name))}
		}
	}
}

// compare reads what is new of a check that compares, and judges all there is.
func (m *Meter) compare(ctx context.Context, c spec.Check, at moment) judged {
	st := m.comparisons[c.Name]
	begin := m.binding.Since.Add(m.spec.Warmup.Std())
	s := span{window: at.window, since: later(st.upto, at.from)}
	res := Result{Check: c.Name}
	look, from, bad := m.read(ctx, c, s, st)
	for _, r := range from {
		res.evidence(r)
	}
	if m.unchanged() {
		begin = at.from
	}
	look.At = at.at.Sub(begin)
	st.judge.See(look)
	if bad.verdict != "" {
		return judged{Result: res.without(bad)}
	}
	st.upto = at.at
	out := judged{Result: res.of(st.judge.Outcome(look.At), c)}
	switch missing := m.binding.Before.Past[c.Name].Missing; {
	case out.Verdict == NoData && missing != "":
		out.Sentence += ": " + missing
	case m.alone(c) && c.Against == spec.AgainstControl:
		out.Sentence += " (no control is left: the weaker comparison)"
	}
	out.Sentence += m.sampled(c.Total)
	if m.binding.Recovering && out.Verdict == Pass && !out.Shown {
		out.Verdict = Unexercised
		out.Sentence += "; not shown yet to be well again"
	}
	return out.only(from...)
}

// read counts what both arms showed since the last look. It answers what that rests on,
// too, and a reading with a verdict where it cannot be told.
func (m *Meter) read(ctx context.Context, c spec.Check, s span, st *comparison) (look judge.Look, from []reading, bad reading) {
	arms := []arm{exposed, control}
	if m.alone(c) {
		arms = arms[:1]
	}
	var counts [2]*sequential.Counts
	owed := st.owed
	for _, a := range arms {
		r := m.events(c, func(expr string, l lack) reading { return m.source.added(ctx, expr, a, s, l) })
		from = append(from, r.total, r.bad)
		for _, part := range []reading{r.total, r.bad} {
			if part = part.usable(); part.verdict != "" {
				return look, from, part
			}
		}
		counts[a] = &sequential.Counts{Bad: settle(&owed[a][0], r.bad.value), Total: settle(&owed[a][1], r.total.value)}
		if c := counts[a]; c.Bad > 1.1*c.Total+1 {
			return look, from, noData("", "more bad events than events in total (%s of %s): do bad and total count the same things?",
				numeral.Integer(c.Bad), numeral.Integer(c.Total))
		}
	}
	st.owed = owed
	look.Exposed, look.Control = counts[exposed], counts[control]
	return look, from, reading{}
}

// settle is a count without what was counted too many before.
func settle(owed *float64, grown float64) float64 {
	grown += *owed
	*owed = min(0, grown)
	return max(0, grown)
}

// of is the result of a judge's outcome.
func (r Result) of(o judge.Outcome, c spec.Check) Result {
	r.Verdict, r.Sentence, r.Samples, r.Shown = o.Verdict, o.Evidence, o.Samples, o.Shown
	r.Value, r.Limit = new(o.Ratio), new(1+number(c.Worse))
	r.Trace = o.Trace
	return r
}
