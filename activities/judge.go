package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// evaluator opens the judge on a stage, going on from what was seen before. It answers the pace of
// looks, too.
func (a *Activities) evaluator(ctx context.Context, in HealthInput) (*health.Evaluator, health.Pace, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return nil, health.Pace{}, err
	}
	b, err := a.arms(ctx, p, in.StageRef)
	if err != nil {
		return nil, health.Pace{}, err
	}
	b.Previous, b.Since, b.Before, b.Recovering, b.Earlier = in.Previous, in.Since, in.Before, in.Recovering, in.Earlier
	b.Condemned = in.Condemned
	b.Fence, b.Began, b.Ran = in.Fence, in.Began, in.Ran
	asked := p.Spec.Health
	asked.Every = cmp.Or(spec.Duration(in.Every), asked.Every)
	checks, b := withoutPast(asked, b)
	m, err := health.Open(checks, b, a.deps(d))
	if err != nil {
		return nil, health.Pace{}, invalid(fmt.Errorf("set up health checks: %w", err))
	}
	if err := m.Restore(in.State); err != nil {
		return nil, health.Pace{}, invalid(fmt.Errorf("resume health checks: %w", err))
	}
	return m, health.PaceOf(asked), nil
}

// deps are what a judge reaches the world by.
func (a *Activities) deps(d driver.Driver) health.Deps {
	deps := a.health
	deps.Driver, deps.Transport, deps.Dial, deps.Now = d, a.sources, a.sources.DialContext, a.Clock.Now
	return deps
}

// binding says whom a stage's checks are about, without the targets that are left out of it.
func binding(p plan.Plan, ref StageRef) health.Binding {
	b := health.Binding{Scope: source.Scope{Unit: p.Spec.Unit, Release: p.Spec.Release}, Stages: p.Spec.JudgedStages()}
	here, at := present(ref.Absent), ref.Stage
	if ref.Stragglers != nil { // a sweep bakes like the last stage
		at = len(p.Stages) - 1
		b.Stage, b.Cohort = spec.StageSweep, here(ref.Stragglers)
		others := present(slices.Concat(ref.Absent, fleet.IDs(ref.Stragglers))) // a straggler of the plan counts once
		b.Exposed = append(others(p.Order), b.Cohort...)
	} else {
		b.Stage, b.Cohort = p.Stages[at].Name, here(p.Cohort(at))
		b.Exposed, b.Control = here(p.Exposed(at)), here(p.Control(at))
	}
	b.Bake, b.Adaptive = p.Spec.Stages[at].Bake.Std(), p.Spec.Stages[at].Adaptive
	b.Hold = p.Spec.Stages[at].DecideWithin.Std() / 2 // the rest is there to pass in
	allowed := 0
	for i, s := range p.Stages {
		if s.From < len(b.Exposed) {
			allowed += p.Spec.Stages[i].Unreachable(s.Size())
		}
	}
	b.Silent = max(0, allowed-len(ref.Absent))
	return b
}

// present answers a function that leaves out targets by their ids.
func present(absent []string) func([]fleet.Target) []fleet.Target {
	if len(absent) == 0 {
		return slices.Clone[[]fleet.Target]
	}
	out := fleet.Set(absent)
	return func(ts []fleet.Target) []fleet.Target {
		return slices.DeleteFunc(slices.Clone(ts), func(t fleet.Target) bool { return out[t.ID] })
	}
}

// Baseline measures a stage's targets before it is applied.
func (a *Activities) Baseline(ctx context.Context, in BaselineInput) (health.Baseline, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return health.Baseline{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.health)
	if err != nil {
		return health.Baseline{}, err
	}
	defer living(ctx)()
	arms, err := a.arms(ctx, p, in.StageRef)
	if err != nil {
		return health.Baseline{}, err
	}
	past := health.Baseline{BareOwn: bare(ctx, p, d, arms.Cohort), BareControl: bare(ctx, p, d, arms.Control)}
	past.Bare = past.BareOwn && (len(arms.Exposed) == len(arms.Cohort) || bare(ctx, p, d, arms.Exposed))
	m, _, err := a.evaluator(ctx, HealthInput{StageRef: in.StageRef, Since: in.At, Earlier: in.Earlier, Began: in.Began, Before: past})
	if err != nil {
		return health.Baseline{}, err
	}
	out, err := m.Baseline(ctx, source.Later(in.At, a.Clock.Now()))
	out.Bare, out.BareOwn, out.BareControl = past.Bare, past.BareOwn, past.BareControl
	if err == nil {
		err = a.unsure(ctx, m.Unsure(), doubts)
	}
	return out, err
}

// Gate evaluates a stage for its gate, asking every exposed target and not a sample. While a check
// is in a breach that it still tolerates, it looks again at the checks' pace: the next looks
// decide.
func (a *Activities) Gate(ctx context.Context, in GateInput) (StageReport, error) {
	m, pace, err := a.evaluator(ctx, in.HealthInput)
	if err != nil {
		return StageReport{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.health)
	if err != nil {
		return StageReport{}, err
	}
	defer living(ctx)()
	at, watched := in.At, in.Watched
	if a.Clock.Now().Sub(at) > pace.Every {
		at = a.Clock.Now()
	}
	for {
		report, err := m.LookAll(ctx, at)
		if err != nil {
			return StageReport{}, err
		}
		a.metrics.judged(m.Unit(), report)
		if err := a.unsure(ctx, report.Unsure, doubts); err != nil {
			return StageReport{}, err
		}
		watched = watched.Look(at, report.Saw(), pace)
		if !report.Pending() || pause.For(ctx, pace.Every) != nil {
			return StageReport{Report: report, State: m.State(), Watched: watched}, ctx.Err()
		}
		at = a.Clock.Now()
	}
}

// Recover looks whether the checks that condemned a release recover after its rollback, and returns
// as soon as they have, whatever the other checks say then.
func (a *Activities) Recover(ctx context.Context, in RecoverInput) (StageReport, error) {
	in.Recovering = true
	m, pace, err := a.evaluator(ctx, in.HealthInput)
	if err != nil {
		return StageReport{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.health)
	if err != nil {
		return StageReport{}, err
	}
	defer living(ctx)()
	limited, cancel := context.WithTimeout(ctx, max(in.Until.Sub(a.Clock.Now()), leastRecovery))
	defer cancel()
	last := StageReport{Report: health.Report{At: a.Clock.Now(), Results: []health.Result{{
		Check: "judge", Verdict: health.NoData, Sentence: "no look was over in the time that the rollback has to recover",
	}}}}
	for {
		report, err := m.Look(limited, a.Clock.Now())
		if err == nil {
			last.Report = report
			if err := a.unsure(ctx, report.Unsure, doubts); err != nil {
				return StageReport{}, err
			}
		}
		cured := report.Of(health.CheckNames(in.Condemned)).Verdict() == health.Pass
		if err != nil || cured || pause.For(limited, pace.Every) != nil {
			return last, ctx.Err()
		}
	}
}

// leastRecovery is how long it is looked at least, however late an attempt begins.
const leastRecovery = 2 * time.Second
