package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
)

// PreflightInput asks how a fleet is before anything is changed.
type PreflightInput struct {
	Plan string `json:"plan"`
	// Until is how long a source that answers nothing is waited for.
	Until time.Time `json:"until"`
	// Earlier are when other rollouts of the unit ran.
	Earlier []source.EarlierRun `json:"earlier,omitempty"`
}

// preflightLooks is how many looks in a row must see harm before a fleet counts as unhealthy, and
// how many are made where there is too little to judge by.
const preflightLooks = 3

// Preflight judges the whole fleet by the rollout's own checks before anything is changed. A
// comparison with the control is made between the first stage's targets and the others: a
// difference that is there already is not the change's doing.
func (a *Activities) Preflight(ctx context.Context, in PreflightInput) (health.Report, error) {
	defer living(ctx)()
	if p, d, err := a.open(ctx, in.Plan); err == nil && bare(ctx, p, d, p.Order) {
		return health.Report{At: a.Clock.Now(), Results: []health.Result{{
			Check: spec.CheckAlive, Verdict: health.Pass,
			Sentence: fmt.Sprintf("nothing is installed on any of the %d targets: there is no past to judge by", len(p.Order)),
		}}}, nil
	}
	evaluators, every, err := a.preflightEvaluators(ctx, in)
	if err != nil || len(evaluators) == 0 {
		return health.Report{At: a.Clock.Now()}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.health)
	if err != nil {
		return health.Report{}, err
	}
	harmed := 0
	for n := 1; ; n++ {
		reports, err := lookAll(ctx, evaluators, a.Clock.Now())
		if err != nil {
			return health.Report{}, err
		}
		report := joined(reports)
		a.metrics.judged(evaluators[0].Unit(), report)
		if err := a.unsure(ctx, report.Unsure, doubts); err != nil {
			return health.Report{}, err
		}
		if report.Verdict() == health.Fail {
			harmed++
		} else {
			harmed = 0
		}
		if harmed >= preflightLooks {
			for i, m := range evaluators {
				reports[i] = m.Newest(ctx, reports[i])
			}
			return joined(reports), ctx.Err()
		}
		waits := report.Mute() && !report.Impossible() && !a.Clock.Now().After(in.Until)
		enough := n >= preflightLooks && !report.Pending() && harmed == 0 && !waits
		if report.Verdict() == health.Pass || report.Refused() || enough || pause.For(ctx, every) != nil {
			return report, ctx.Err()
		}
	}
}

// preflightEvaluators are one over the whole fleet for checks with a limit of their own, and one
// that compares the first stage's targets with the others.
func (a *Activities) preflightEvaluators(ctx context.Context, in PreflightInput) ([]*health.Evaluator, time.Duration, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return nil, 0, err
	}
	scope := source.Scope{Unit: p.Spec.Unit, Stage: p.Stages[0].Name, Earlier: in.Earlier}
	whole, halves := health.Binding{Scope: scope}, health.Binding{Scope: scope}
	whole.Exposed, whole.Cohort = p.Order, p.Order
	halves.Exposed, halves.Cohort, halves.Control = p.Cohort(0), p.Cohort(0), p.Control(0)
	for i, s := range p.Stages {
		whole.Silent += p.Spec.Stages[i].Unreachable(s.Size())
	}
	absolute, relative := p.Spec.Health, p.Spec.Health
	absolute.Checks, relative.Checks = nil, nil
	for _, c := range p.Spec.Health.Checks {
		if c.Against == "" {
			absolute.Checks = append(absolute.Checks, c)
		} else {
			relative.Checks = append(relative.Checks, c)
		}
	}
	absolute.Without = append(slices.Clone(absolute.Without), spec.CheckTraffic)
	relative.Without = []string{spec.CheckTraffic, spec.CheckAlive}
	var out []*health.Evaluator
	open := func(checks spec.Health, b health.Binding) error {
		m, err := health.Open(checks, b, a.deps(d))
		if err != nil {
			return invalid(err)
		}
		out = append(out, m)
		return nil
	}
	if len(absolute.Checks) > 0 || !slices.Contains(absolute.Without, spec.CheckAlive) {
		err = open(absolute, whole)
	}
	compared := len(relative.Checks) > 0 && len(halves.Control) > 0
	if err == nil && compared && !bare(ctx, p, d, halves.Exposed) && !bare(ctx, p, d, halves.Control) {
		err = open(relative, halves)
	}
	return out, p.Spec.Health.Every.Std(), err
}

// lookAll asks several evaluators about one moment.
func lookAll(ctx context.Context, evaluators []*health.Evaluator, at time.Time) ([]health.Report, error) {
	out := make([]health.Report, len(evaluators))
	for i, m := range evaluators {
		var err error
		if out[i], err = m.LookAll(ctx, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// joined is one report of several about one moment.
func joined(reports []health.Report) health.Report {
	out := health.Report{At: reports[0].At}
	for _, r := range reports {
		out.Results = append(out.Results, r.Results...)
		out.Unsure = cmp.Or(out.Unsure, r.Unsure)
		out.Clocks, out.Over = r.Clocks, source.Later(out.Over, r.Over)
	}
	return out
}
