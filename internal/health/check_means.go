package health

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
)

// meansCheck is a check of a number that every target shows, whose mean is compared.
type meansCheck struct {
	*Stage
	check spec.Check
	judge *judge.MeansJudge
	// alone says that there is no control to compare with, and idle that a sweep has too few
	// targets for the check to be ever decided.
	alone, idle bool
	// places are the targets of each arm, as the judge knows them.
	places [2][]string
}

// MeansForm is a check of a number that every target shows.
func MeansForm() Form { return Form{Name: "value, compared", Is: spec.Check.Means, Open: openMeans} }

// openMeans readies a check of means.
func openMeans(s *Stage, c spec.Check) (Check, error) {
	m := &meansCheck{Stage: s, check: c, alone: s.binding.againstItself(c)}
	for a, targets := range [2][]fleet.Target{s.binding.asked(c.Value), s.binding.Control} {
		m.places[a] = fleet.IDs(source.Sample(source.Sample(targets, source.EachSample), judge.MostTargets))
	}
	var before []judge.Numbers
	if past := s.binding.Before.Means[c.Name]; len(past) > 0 {
		before = []judge.Numbers{{Exposed: m.at(source.Exposed, past), Control: m.at(source.Control, past)}}
	}
	criteria := m.criteria()
	m.judge = judge.NewMeansJudge(criteria, before)
	m.idle = s.binding.Stage == spec.StageSweep && criteria.Missing(len(s.binding.own().Exposed), len(s.binding.Control)) != ""
	return m, nil
}

// criteria are what the check is judged by.
func (m *meansCheck) criteria() judge.MeansCriteria {
	c := m.check
	criteria := judge.MeansCriteria{Criteria: m.Stage.criteria(c, 1, m.alone), Drop: side(c.Drop), Rise: side(c.Rise)}
	criteria.Worse = 0
	criteria.Bake = max(criteria.Every, criteria.Bake-m.spec.Warmup.Std()) // it tests to the end
	return criteria
}

// side is by how much a mean may be off; below 0 where that is not judged.
func side(n *spec.Number) float64 {
	if n == nil {
		return -1
	}
	return float64(*n)
}

// at are numbers of targets at their places; no number where there is none.
func (m *meansCheck) at(a source.Arm, of map[string]float64) []float64 {
	out := make([]float64, len(m.places[a]))
	for i, id := range m.places[a] {
		v, ok := of[id]
		if !ok {
			v = math.NaN()
		}
		out[i] = v
	}
	return out
}

// asked are the exposed targets that an expression is about.
func (b Binding) asked(expr string) []fleet.Target {
	if promql.OnlyCohort(expr) {
		return b.Cohort
	}
	return b.Exposed
}

// numbersSeen is what a look at a number of every target has seen.
type numbersSeen struct {
	judge.Numbers
	lost []string // exposed targets that do not show it any more
	// early says why the exposed targets' numbers are no evidence of health yet; empty where they
	// are.
	early string
}

// read reads a number of every target. A reading with a verdict says why it cannot be told.
func (m *meansCheck) read(ctx context.Context, at Look, res *Result) (seen numbersSeen, wrong source.Reading) {
	seen.At = at.At.Sub(m.begin(at))
	for _, a := range source.Arms(m.alone) {
		s := source.PerTargetOf(m.source).Gauges(ctx, m.check.Value, a, at.Window)
		res.evidence(s.Reading)
		if s.Verdict != "" {
			return numbersSeen{Numbers: judge.Numbers{At: seen.At}}, s.Reading
		}
		shown := map[string]float64{}
		for id, r := range s.Of {
			if r = r.Usable(); r.Verdict == "" {
				shown[id] = r.Value
			}
		}
		if a == source.Exposed {
			seen.Exposed, seen.lost, seen.early = m.at(a, shown), m.lost(s), s.Early
		} else {
			seen.Control = m.at(a, shown)
		}
	}
	return seen, source.Reading{}
}

// Judge reads a number of every target, and judges all there are.
func (m *meansCheck) Judge(ctx context.Context, at Look) Judged {
	var res Result
	seen, wrong := m.read(ctx, at, &res)
	if wrong.Verdict == "" && seen.early != "" { // what was before the change would make what comes after it look usual
		seen.Exposed, seen.Control = nil, nil
		wrong = source.Reading{Verdict: Unexercised, Why: "no evidence of health yet: " + seen.early}
	}
	m.judge.See(seen.Numbers)
	if wrong.Verdict != "" {
		return res.without(wrong)
	}
	if m.unchanged() {
		return Judged{Result: res.shows(seen.Numbers)}
	}
	return m.conclude(res, m.judge.Outcome(seen.At), seen.lost)
}

// conclude is the verdict on an outcome, while some exposed targets do not show the number.
func (m *meansCheck) conclude(res Result, o judge.Outcome, lost []string) Judged {
	out := Judged{Result: res.ofMeans(o, m.check)}
	out.Advisory = m.idle && out.Verdict == Unexercised
	out.Against = spec.AgainstControl
	if m.alone {
		out.Against = spec.AgainstBefore
	}
	switch {
	case out.Advisory:
		out.Sentence += "; it does not decide about so few that joined late"
	case m.binding.Recovering && out.Verdict == Pass && !out.Shown && beyond(m.check, *out.Estimate):
		out.Verdict = Unexercised
		out.Sentence += notWell
	case out.Verdict == Pass && len(lost) > m.binding.Silent:
		out.Verdict, out.Shown = NoData, false
		out.Sentence = fmt.Sprintf(
			"%s of %s exposed targets do not show the number: %s", humanize.Integer(float64(len(lost))),
			humanize.Integer(float64(len(m.places[source.Exposed]))), listed(lost, 3),
		)
	case m.alone && m.check.Against == spec.AgainstControl:
		out.Sentence += weaker
	}
	return out
}

// beyond says that a mean so many times the usual is off by more than it may.
func beyond(c spec.Check, times float64) bool {
	return c.Drop != nil && times < 1-number(c.Drop) || c.Rise != nil && times > 1+number(c.Rise)
}

// lost are the exposed targets that do not show the number, and were not without it before the
// stage.
func (m *meansCheck) lost(s source.Readings) []string {
	var out []string
	for _, id := range m.places[source.Exposed] {
		r, asked := s.Of[id]
		if (!asked || r.Usable().Verdict != "") && !slices.Contains(m.binding.Before.Missing[m.check.Name], id) {
			out = append(out, id)
		}
	}
	return out
}

// shows is the verdict before anything was applied, when there is nothing to compare with yet.
func (r Result) shows(look judge.Numbers) Result {
	n := 0
	for _, v := range look.Exposed {
		if !math.IsNaN(v) {
			n++
		}
	}
	r.Verdict, r.Samples = Pass, float64(n)
	if n == 0 {
		r.Verdict = NoData
	}
	r.Sentence = fmt.Sprintf("%d of %d targets show the number; this is what it will be compared with", n, len(look.Exposed))
	return r
}

// ofMeans is the result of a judge's outcome.
func (r Result) ofMeans(o judge.Outcome, c spec.Check) Result {
	r = r.of(o, judge.Criteria{})
	if r.Value = new(o.Ratio); o.Verdict == Pass {
		r.Value = new(o.Least)
	}
	r.Mean = true
	r.Limit = nil // there may be two
	for _, n := range []struct {
		part *spec.Number
		sign float64
	}{{c.Drop, -1}, {c.Rise, 1}} {
		if n.part != nil && (c.Drop == nil || c.Rise == nil) {
			r.Limit = new(1 + n.sign*float64(*n.part))
		}
	}
	return r
}

// measure keeps what each target showed on average before the stage, and those that showed nothing.
func (m *meansCheck) measure(ctx context.Context, w source.Window, b *Baseline) {
	m.missing(ctx, m.check, w, b)
	own := map[string]bool{} // the others that will be exposed run the release already
	for _, t := range m.binding.Cohort {
		own[t.ID] = true
	}
	long, step := PastSpan(m.binding.Bake, m.spec.Every.Std())
	kept := map[string]float64{}
	for _, a := range source.Arms(m.alone) {
		means := source.PerTargetOf(m.source).BaselineMeans(ctx, m.check.Value, a, w, long, step)
		for _, id := range m.places[a] {
			if v, ok := means[id]; ok && (a == source.Control || own[id]) {
				kept[id] = v
			}
		}
	}
	if len(kept) > 0 {
		keep(&b.Means, m.check.Name, kept)
	}
}

// sources are none but the stage's own.
func (m *meansCheck) sources() []source.Source { return nil }

func (m *meansCheck) state() (json.RawMessage, error) { return json.Marshal(m.judge.State()) }

func (m *meansCheck) restore(raw json.RawMessage) error { return restoreInto(raw, m.judge.Restore) }

// restoreInto has a judge go on from a state, which may be that of another check.
func restoreInto[S any](raw json.RawMessage, restore func(S) bool) error {
	var kept S
	if err := json.Unmarshal(raw, &kept); err != nil {
		return err
	}
	if !restore(kept) {
		return errOtherCheck
	}
	return nil
}
