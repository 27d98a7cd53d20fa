package health

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// comparison is a check of two arms over the looks of a stage, or the part of one that is about one
// group of targets.
type comparison struct {
	// group is the value of the label by which a check tells groups apart.
	group    string
	criteria judge.Criteria
	judge    *judge.Judge
	strata   []stratum
	// alone says that no control is left to compare with.
	alone bool
}

// stratum are those targets of a comparison that have the same value of the label in match. Each
// stratum counts its arms by itself.
type stratum struct {
	source source.Source
	scope  source.Scope
	state  StratumState
}

// StratumState is what was counted of a stratum so far.
type StratumState struct {
	// Tallies are those of each arm's total and bad events.
	Tallies [2][2]source.Tally `json:"tallies"`
	// Owed are the bad events of each arm that were counted too often, as a number below 0: a
	// source that estimates takes them back in a later look.
	Owed [2]float64 `json:"owed"`
}

// CompareState is what a comparison must remember between looks.
type CompareState struct {
	judge.ComparisonState
	Strata []StratumState `json:"strata,omitempty"`
}

// ComparisonForm is a test that adds up look by look.
func ComparisonForm() Form {
	return Form{Name: "bad and total, compared", Is: compares, Open: openComparison}
}

// comparisonCheck compares two arms, as a whole or in groups of targets.
type comparisonCheck struct {
	*Stage
	check spec.Check
	parts []*comparison
}

// compares says that a check is a test that adds up look by look: a comparison, or one against an
// objective.
func compares(c spec.Check) bool {
	return c.Each == "" && c.Counts() && (c.Against != "" || c.Objective != nil)
}

// againstItself says that a check compares with the time before the stage, since it asks for that,
// or since it has no control.
func (b Binding) againstItself(c spec.Check) bool {
	return c.Against != spec.AgainstControl || len(b.Control) == 0
}

// openComparison readies a check that compares.
func openComparison(s *Stage, c spec.Check) (Check, error) {
	m := &comparisonCheck{Stage: s, check: c}
	groups := s.binding.split(c.GroupBy)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		b := groups[name]
		part := &comparison{group: name, alone: b.againstItself(c) || c.Match != "" && !b.matched(c.Match)}
		strata, err := m.openStrata(b, part.alone)
		if err != nil {
			return nil, err
		}
		part.strata = strata
		past := s.binding.Before.Past[key(c, name)]
		part.criteria = s.criteria(c, len(groups), part.alone)
		part.criteria.Daily = past.Daily
		part.criteria.Enough = max(part.criteria.Enough, s.relief(c))
		part.judge = judge.New(part.criteria, past.looks())
		m.parts = append(m.parts, part)
	}
	if n := len(m.parts); n > maxGroups {
		return nil, fmt.Errorf("the label %s has %d values, expected at most %d", c.GroupBy, n, maxGroups)
	}
	return m, nil
}

// key names a check's group in what was measured before and in states.
func key(c spec.Check, group string) string {
	if group == "" {
		return c.Name
	}
	return c.Name + "/" + group
}

// criteria are what a check, or each of so many groups of it, is judged by.
func (m *Stage) criteria(c spec.Check, groups int, alone bool) judge.Criteria {
	out := judge.Criteria{
		Worse: number(c.Worse), Before: alone && c.Objective == nil, Objective: number(c.Objective), Burn: float64(c.Burn),
		Alpha: m.spec.Budget(c.Name, m.binding.Stages) / float64(groups),
		Every: m.spec.Every.Std(), Bake: m.binding.Bake, Hold: m.binding.Hold, MinSamples: float64(c.MinSamples),
	}
	if a := m.binding.Adaptive; a != nil {
		out.Enough, out.Risk = float64(a.Enough), float64(a.Risk)
	}
	if m.binding.Recovering {
		out.Enough, out.Risk = recovered*(1+out.Worse), recoveredRisk
	}
	if m.unchanged() && c.Against != "" { // what was there before is no regression, unless it is large
		out.Worse += preflightWorse
	}
	return out
}

// preflightWorse is by how much more targets may differ before anything is changed.
const preflightWorse = 1

// relief is how many times worse than they may be targets that were taken back must have shown not
// to be, where the harm was large: far from what it was. The few events of a minute do not show
// more.
func (m *Stage) relief(c spec.Check) float64 {
	if !m.binding.Recovering {
		return 0
	}
	times := m.binding.harm(c.Name).Times
	if c.Objective != nil { // in times of the limit, as Criteria.Enough is
		times /= max(1, float64(c.Burn))
	}
	return times / recovered
}

// Targets that were taken back are well again when they have shown to be less than so many times as
// bad as they may be.
const (
	recovered     = 2
	recoveredRisk = 0.05
)

// notWell ends the evidence of targets that were taken back and do no harm any more.
const notWell = "; not shown yet to be well again"

// unchanged says that nothing was applied yet.
func (m *Stage) unchanged() bool { return m.binding.Since.IsZero() }

// Judge reads what is new, and judges all there is.
func (m *comparisonCheck) Judge(ctx context.Context, at Look) Judged {
	var out []Judged
	for _, part := range m.parts {
		res := m.compareOne(ctx, at, part)
		if part.group != "" {
			res.Sentence = m.check.GroupBy + "=" + source.Cut(part.group, 60) + ": " + res.Sentence
		}
		out = append(out, res)
	}
	if len(out) == 0 {
		return Result{}.without(source.NoData("", "no target has the label %s", m.check.GroupBy))
	}
	return worst(out)
}

// worst is the result of a check in groups: harm in any is harm, and only all of them pass.
func worst(all []Judged) Judged {
	rank := map[Verdict]int{Fail: 3, NoData: 2, Stale: 2, Unexercised: 1}
	shown := true
	at := 0
	for i, j := range all {
		shown = shown && j.Shown
		if rank[j.Verdict] > rank[all[at].Verdict] || j.Verdict == Pass && all[at].Verdict == Pass && estimate(j) > estimate(all[at]) {
			at = i
		}
	}
	out := all[at]
	if i := slices.IndexFunc(all, func(j Judged) bool { return j.Suspicion != "" }); i >= 0 && out.Suspicion == "" {
		out.Suspicion = all[i].Suspicion
		out.Sentence += "; " + all[i].Sentence
	}
	if out.Shown = shown; len(all) > 1 && out.Verdict == Pass {
		out.Sentence += fmt.Sprintf(" (the worst of %d groups)", len(all))
	}
	return out
}

// against is what the exposed arm is compared with.
func (c *comparison) against(check spec.Check) string {
	switch {
	case check.Objective != nil:
		return AgainstObjective
	case c.alone:
		return spec.AgainstBefore
	}
	return spec.AgainstControl
}

// estimate is how many times worse a result says that it is; 0 where nothing was compared yet.
func estimate(j Judged) float64 {
	if j.Estimate == nil {
		return 0
	}
	return *j.Estimate
}

func (m *comparisonCheck) compareOne(ctx context.Context, at Look, part *comparison) Judged {
	c, begin := m.check, m.begin(at)
	var res Result
	var looks []judge.ArmCounts
	var from []source.Reading
	var bad source.Reading
	for i := range part.strata {
		look, read, wrong := m.readStratum(ctx, at.Window, &part.strata[i], part.alone)
		look.At = at.At.Sub(begin)
		looks, from = append(looks, look), append(from, read...)
		if wrong.Verdict != "" {
			bad = wrong
		}
	}
	res.evidence(from...)
	part.judge.See(looks...)
	if bad.Verdict != "" {
		return res.without(bad)
	}
	if m.unchanged() && part.alone && c.Objective == nil {
		return Judged{Result: res.readable(c, looks)}
	}
	out := Judged{Result: res.of(part.judge.Outcome(at.At.Sub(begin)), part.criteria)}
	out.Against = part.against(c)
	switch missing := m.binding.Before.Past[key(c, part.group)].Missing; {
	case out.Verdict == NoData && missing != "":
		out.Sentence += ": " + missing
	case part.alone && c.Against == spec.AgainstControl:
		out.Sentence += weaker
	}
	out.Sentence += sampled(part.strata[0].source, c.Total)
	if m.binding.Recovering && out.Verdict == Pass && !out.Shown && !m.binding.harm(c.Name).over(exposedOf(out.Trace)) {
		out.Verdict = Unexercised
		out.Sentence += notWell
	}
	return out.unlessEarly(from...)
}

// readable is the verdict before anything was applied on what can only be compared with that.
func (r Result) readable(c spec.Check, looks []judge.ArmCounts) Result {
	for _, l := range looks {
		if l.Exposed != nil {
			r.Samples += l.Exposed.Total
		}
	}
	r.Verdict = Pass
	if r.Samples < max(1, float64(c.MinSamples)) {
		r.Verdict = Unexercised
	}
	r.Sentence = fmt.Sprintf(
		"%s events, at least %d are needed; this is what it will be compared with", humanize.Integer(r.Samples), c.MinSamples,
	)
	return r
}

// readStratum counts what both arms showed since the last look. It answers what that rests on, too,
// and a reading with a verdict where it cannot be told.
func (m *comparisonCheck) readStratum(
	ctx context.Context, w source.Window, st *stratum, alone bool,
) (look judge.ArmCounts, from []source.Reading, bad source.Reading) {
	var counts [2]*sequential.Counts
	now := st.state
	for _, a := range source.Arms(alone) {
		r := m.events(ctx, m.check, w, func(expr string, which int, l source.OnEmpty) source.Reading {
			return st.source.Increase(ctx, expr, a, w, &now.Tallies[a][which], l)
		})
		from = append(from, r.total, r.bad)
		for _, part := range []source.Reading{r.total, r.bad} {
			if part = part.Usable(); part.Verdict != "" {
				return look, from, part
			}
		}
		counts[a] = &sequential.Counts{Bad: source.PayOwed(&now.Owed[a], r.bad.Value), Total: r.total.Value}
		if c, of := counts[a], now.Tallies[a]; c.Bad > 1.1*c.Total+1 {
			if of[0].Counted > 0 && of[1].Counted <= 1.1*of[0].Counted+1 {
				return look, from, source.Reading{} // one is ahead of the other: the next look has both
			}
			return look, from, source.NoData("", "more bad events than events in total (%s of %s): do bad and total count the same things?",
				humanize.Integer(c.Bad), humanize.Integer(c.Total))
		}
	}
	st.state = now
	look.Exposed, look.Control = counts[source.Exposed], counts[source.Control]
	return look, from, source.Reading{}
}

// of is the result of a judge's outcome.
func (r Result) of(o judge.Outcome, by judge.Criteria) Result {
	r.Verdict, r.Suspicion, r.Sentence, r.Samples, r.Shown = o.Verdict, o.Suspicion, o.Evidence, o.Samples, o.Shown
	scale, limit := 1.0, 1+by.Worse
	if by.Objective > 0 { // how many times as fast as allowed the budget burns
		limit = max(1, by.Burn)
		scale = limit
	}
	r.Estimate, r.Value, r.Limit = new(o.Ratio*scale), new(o.Ratio*scale), &limit
	if o.Verdict != Fail && o.Ratio*scale > limit { // what chance leaves of it
		r.Value = new(min(o.Ratio, o.Least) * scale)
	}
	r.Trace = o.Trace
	return r
}
