package health

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
)

// Baseline is what a stage's targets showed before it was applied. Its zero value was not measured:
// nothing can be compared with it.
type Baseline struct {
	// From and At span what was measured.
	From time.Time `json:"from,omitzero"`
	At   time.Time `json:"at,omitzero"`
	// Requests of the targets that the stage will have exposed, and of the others, in that time,
	// both scaled from the sample to the whole arm.
	Exposed float64 `json:"exposed,omitempty"`
	Control float64 `json:"control,omitempty"`
	// ExposedOf and ControlOf are how many targets those were; 0 where that was not noted.
	ExposedOf int `json:"exposedOf,omitempty"`
	ControlOf int `json:"controlOf,omitempty"`
	// Traffic says why requests could not be counted; empty when they were.
	Traffic string `json:"traffic,omitempty"`
	// Targets are the requests of each exposed target in that time, of those that had some and
	// could be told apart.
	Targets map[string]float64 `json:"targets,omitempty"`
	// Bursts is how many requests count as one, since they come together: 1 where they do not. Less
	// counts as 1.
	Bursts float64 `json:"bursts,omitempty"`
	// Wander is how far the share of requests goes up and down by itself, as the standard deviation
	// of its logarithm (judge.Unsteady).
	Wander float64 `json:"wander,omitempty"`
	// Density is how many samples per second the source had of the requests of a target; 0 where it
	// does not tell.
	Density float64 `json:"density,omitempty"`
	// Past is what checks that compare counted before, by name.
	Past map[string]Past `json:"past,omitempty"`
	// Means are what targets showed on average before, by check that compares means and by target.
	Means map[string]map[string]float64 `json:"means,omitempty"`
	// Shifts are how numbers went before, by check that compares them look by look.
	Shifts map[string]judge.PastShift `json:"shifts,omitempty"`
	// Ratios are the events of the targets by check of each, for a comparison when no control is
	// left.
	Ratios map[string]PastRatio `json:"ratios,omitempty"`
	// Missing are, by check, the targets that a check of each found without data, at most 200:
	// without data later, they show no harm. It is empty when those were most of them.
	Missing map[string][]string `json:"missing,omitempty"`
	// Shown is what single targets showed to a source without a past.
	Shown source.Shown `json:"shown,omitempty"`
	// Values are the events by the labels by which bad ones are picked, by check.
	Values map[string]source.Values `json:"values,omitempty"`
	// Alerts are what fired, by check.
	Alerts map[string]Firing `json:"alerts,omitempty"`
	// Bare says that nothing was installed on any exposed target, BareControl that nothing was on
	// any other, and BareOwn that nothing was on those that the stage itself exposes: they have no
	// past.
	Bare        bool `json:"bare,omitempty"`
	BareOwn     bool `json:"bareOwn,omitempty"`
	BareControl bool `json:"bareControl,omitempty"`
}

// unsteady is how requests go up and down by themselves.
func (b Baseline) unsteady() judge.Unsteady {
	return judge.Unsteady{Bursts: b.Bursts, Wander: b.Wander}
}

// PastRatio is a check's events before a stage.
type PastRatio struct {
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
		return ratio{total: source.NoData("", "nothing to compare with: %s", r.Missing)}
	}
	return ratio{bad: source.Reading{Value: r.Bad}, total: source.Reading{Value: r.Total}}
}

// Measuring a baseline: how often one that lacks something is measured again, and how long after
// the first. What nobody measured before a stage is unknown for all of it, so targets or a source
// that just restart are worth waiting for.
const (
	baselineAttempts = 3
	baselinePatience = time.Minute
)

// Baseline measures the stage's targets before it is applied. Its error is only ctx's: what cannot
// be measured is said in the answer. An Evaluator that has measured a baseline is not for looks:
// they begin with another one.
func (m *Evaluator) Baseline(ctx context.Context, at time.Time) (Baseline, error) {
	began := time.Now()
	for n := 1; ; n++ {
		b, err := m.Measure(ctx, at.Add(time.Since(began)))
		if err != nil || !b.lacks() || n == baselineAttempts || time.Since(began) > baselinePatience {
			return b, err
		}
		if err := pause.For(ctx, m.stage.spec.Every.Std()); err != nil {
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

// Measure measures a baseline once, without another attempt where something is lacking.
func (m *Evaluator) Measure(ctx context.Context, at time.Time) (Baseline, error) {
	s := m.stage
	s.binding.Since = time.Time{} // nothing has been applied yet
	w, err := s.source.Baseline(ctx, at)
	if err != nil {
		return Baseline{}, err
	}
	b := Baseline{From: w.From, At: w.At}
	if kept, ok := s.source.(source.Memory); ok {
		b.Shown = kept.Shown()
	}
	for _, c := range m.checks {
		if before, ok := c.Check.(measurer); ok {
			before.measure(ctx, w, &b)
		}
	}
	m.measureValues(ctx, w, &b)
	return b, ctx.Err()
}

// maxMissing bounds how many targets without data a baseline names for a check, and maxAllMissing
// for all of them: it goes into the rollout's history.
const (
	maxMissing    = 200
	maxAllMissing = 2000
)

// measure keeps the targets that have no data before the stage and, where no control is left, what
// to compare with.
func (m eachCheck) measure(ctx context.Context, w source.Window, b *Baseline) {
	m.missing(ctx, m.check, w, b)
	if m.check.Against == "" || len(m.binding.Control) > 0 {
		return
	}
	if cut := m.window(w.At, time.Time{}); cut.Length() >= newestPart(m.spec) { // nor harm that has just ended
		if _, past := m.source.(source.History); past {
			w = cut
		}
	}
	r := m.ratioOf(ctx, m.own(ctx, w), m.check, source.Exposed, w)
	keep(&b.Ratios, m.check.Name, PastRatio{Bad: r.bad.Value, Total: r.total.Value, Missing: r.counted().Why})
}

// own is where those targets are read before a stage that the stage itself exposes: the others run
// the release already.
func (m *Stage) own(ctx context.Context, w source.Window) source.Source {
	own := m.binding.own()
	if len(own.Exposed) == len(m.binding.Exposed) {
		return m.source
	}
	if kept, ok := m.source.(source.Memory); ok {
		return kept.Own()
	}
	s, err := m.open(own.Scope)
	if err != nil { // a part of what could be opened
		return source.None{Every: m.spec.Every}
	}
	if _, err := s.Baseline(ctx, w.At); err != nil {
		return source.None{Every: m.spec.Every}
	}
	return s
}

// missing adds the targets of which a check has no data, unless they are most.
func (m *Stage) missing(ctx context.Context, c spec.Check, w source.Window, b *Baseline) {
	all := 0
	for _, ids := range b.Missing {
		all += len(ids)
	}
	e := m.readTargets(ctx, c, w)
	t := e.rank(c)
	n := len(t.unknown)
	if n == 0 || 2*n >= len(e.targets) || n > maxMissing || all+n > maxAllMissing {
		return
	}
	ids := make([]string, n)
	for i, v := range t.unknown {
		ids[i] = v.id
	}
	keep(&b.Missing, c.Name, ids)
}

// keep sets an entry of a map, which it makes where there is none yet.
func keep[V any](of *map[string]V, name string, v V) {
	if *of == nil {
		*of = map[string]V{}
	}
	(*of)[name] = v
}
