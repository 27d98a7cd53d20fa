package health

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

// Shift asks whether a number has moved since the stage was applied, further than it does by
// itself: of a few targets, look by look.
type Shift struct {
	// Value is a number of each target, such as its latency. It needs no count of events.
	Value string `yaml:"value" json:"value"`
	// Against "control" divides it by that of the targets not reached yet, "before" takes it as it
	// is. Default control.
	Against string `yaml:"against,omitempty" json:"against" jsonschema:"enum=control,enum=before"`
	// Season says, with before, at what distance times are alike: what was usual at this time a
	// day, or a week, ago counts, where that foretold the number better than the time just before.
	Season []string `yaml:"season,omitempty" json:"season,omitempty" jsonschema:"enum=day,enum=week"`
	// Drop and Rise are by how much it may fall and rise, as a share of what is usual.
	Drop *spec.Number `yaml:"drop,omitempty" json:"drop,omitempty"`
	Rise *spec.Number `yaml:"rise,omitempty" json:"rise,omitempty"`
}

// seasons are the values of Shift.Season.
var seasons = map[string]time.Duration{"day": day, "week": 7 * day}

// Check checks what is compared with what.
func (f *Shift) Check(s spec.Section) {
	s.Needs("value")
	s.OneOf("against", f.Against, spec.AgainstControl, spec.AgainstBefore)
	for _, name := range f.Season {
		s.OneOf("season", name, "day", "week")
	}
	if s.Given("season") && f.Against != spec.AgainstBefore {
		s.Bad("season", "needs against: %s beside it", spec.AgainstBefore)
	}
	if !s.AnyGiven("drop", "rise") {
		s.Lacks("has no limit, expected drop or rise: by how much the number may fall or rise, such as rise: 50%%")
	}
	s.Share("drop", f.Drop, 0.99, "nothing falls by more than all of it")
	s.Share("rise", f.Rise, 10, "such a check would hardly ever fail")
}

// SetDefaults compares with the control.
func (f *Shift) SetDefaults() { f.Against = cmp.Or(f.Against, spec.AgainstControl) }

// Traits say that it is a test of numbers from the source.
func (f *Shift) Traits() spec.FormTraits {
	return spec.FormTraits{Shared: []string{"weight"}, Source: true, Budgeted: true}
}

// Queries are what it asks of each target.
func (f *Shift) Queries() map[string]string { return map[string]string{"value": f.Value} }

// ShiftForm is a check of a number of few targets.
func ShiftForm() Form {
	return Form{Name: "shift", New: func() spec.FormSettings { return new(Shift) }, Open: openShift}
}

// shiftCheck is a check of a number over time.
type shiftCheck struct {
	meansCheck
	shift    Shift
	criteria judge.ShiftCriteria
	step     time.Duration
	judge    *judge.ShiftJudge
}

// mostShiftControl is how many control targets a shift is compared with: more are a case for the
// mean over targets.
const mostShiftControl = 10

// openShift readies a check. It is about the stage's own targets: those of earlier stages have no
// past without the release.
func openShift(s *Stage, c spec.Check) (Check, error) {
	m := &shiftCheck{}
	if err := c.Form.Decode(&m.shift); err != nil {
		return nil, err
	}
	c.Value, c.Against, c.Drop, c.Rise = m.shift.Value, m.shift.Against, m.shift.Drop, m.shift.Rise
	m.meansCheck = meansCheck{Stage: s, check: c, alone: s.binding.againstItself(c)}
	arms := [2][]fleet.Target{
		source.Sample(s.binding.Cohort, judge.MostTargets),
		source.Sample(s.binding.Control, mostShiftControl),
	}
	for a, targets := range arms {
		m.places[a] = fleet.IDs(targets)
	}
	m.criteria = judge.ShiftCriteria{Criteria: s.criteria(c, 1, m.alone), Drop: side(c.Drop), Rise: side(c.Rise)}
	m.criteria.Bake = max(m.criteria.Every, m.criteria.Bake-s.spec.Warmup.Std())
	for _, name := range m.shift.Season {
		m.criteria.Season = append(m.criteria.Season, seasons[name])
	}
	_, m.step = m.past()
	m.judge = judge.NewShiftJudge(m.criteria, m.step, s.binding.Before.Shifts[c.Name])
	return m, nil
}

// mostShiftLooks is in how many steps the past is looked at: nine days of minutes.
const mostShiftLooks = 9 * 24 * 60

// past is how long before a stage the number is looked at, and in which steps: as long as one with
// a control compares, a day, or two days more than its season.
func (m *shiftCheck) past() (long, step time.Duration) {
	long, _ = LongPast(m.criteria.Bake, m.criteria.Every)
	if m.alone {
		long = day
	}
	for _, s := range m.criteria.Season {
		long = max(long, s+2*day)
	}
	return long, max(m.criteria.Every, (long / mostShiftLooks).Truncate(time.Second))
}

// Judge reads a number of every target, and judges all there are.
func (m *shiftCheck) Judge(ctx context.Context, at Look) Judged {
	var res Result
	seen, wrong := m.read(ctx, at, &res)
	if wrong.Verdict != "" {
		return res.without(wrong)
	}
	if m.unchanged() {
		return Judged{Result: res.shows(seen.Numbers)}
	}
	if seen.early != "" { // it is no number yet
		seen.Exposed, seen.Control = m.at(source.Exposed, nil), m.at(source.Control, nil)
	}
	m.judge.See(seen.Numbers)
	return m.conclude(res, m.judge.Outcome(seen.At), seen.lost)
}

// measure keeps how the number went before the stage.
func (m *shiftCheck) measure(ctx context.Context, w source.Window, b *Baseline) {
	m.missing(ctx, m.check, w, b)
	long, _ := m.past()
	looks := int(long / m.step)
	from := w.At.Add(-time.Duration(looks) * m.step)
	rows, known := m.rows(ctx, from, looks, m.step)
	if known < len(source.Arms(m.alone)) {
		return
	}
	for i := range rows {
		if end := from.Add(time.Duration(i+1) * m.step); source.During(m.binding.Earlier, end.Add(-m.step), end, m.step) {
			rows[i] = judge.Numbers{} // another rollout ran
		}
	}
	own, alike := m.courses(rows)
	keep(&b.Shifts, m.check.Name, judge.NewPastShift(m.criteria, m.step, own, alike))
}

// courses are the number as it is compared, step by step, and the same of each control target
// beside the others.
func (m *shiftCheck) courses(rows []judge.Numbers) (own []float64, alike [][]float64) {
	if n := len(m.places[source.Control]); !m.alone && n > 1 {
		alike = make([][]float64, n)
	}
	for _, row := range rows {
		own = append(own, m.criteria.Shown(row))
		for k := range alike {
			one := judge.Numbers{Exposed: []float64{math.NaN()}}
			if k < len(row.Control) {
				one.Exposed[0] = row.Control[k]
				one.Control = append(slices.Delete(slices.Clone(row.Control), k, k+1), row.Exposed...)
			}
			alike[k] = append(alike[k], m.criteria.Shown(one))
		}
	}
	return own, alike
}

// replay is not to be had: every moment would need days of past of its own.
func (m *shiftCheck) replay(context.Context, time.Time, time.Time) []Replay {
	return []Replay{{Check: m.check.Name, Criteria: m.criteria.Criteria, Missing: "a shift is not judged over the past"}}
}

func (m *shiftCheck) state() (json.RawMessage, error) { return json.Marshal(m.judge.State()) }

func (m *shiftCheck) restore(raw json.RawMessage) error { return restoreInto(raw, m.judge.Restore) }
