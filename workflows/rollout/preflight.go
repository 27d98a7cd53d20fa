package rollout

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/rollout"
)

// preflight judges the fleet before anything is changed: one that is unhealthy already is refused,
// unless whoever started the rollout has said why it may go on.
func (r *run) preflight() error {
	why := "looking whether the fleet is healthy before the change"
	if t := r.Planned.StoreTrouble; t != "" {
		why += "; the store could not keep the plan, so it is made anew from this history: " + t
	}
	r.enter(rollout.PhasePreflight, why)
	wait := r.spec.Stages[0].DecideWithin.Std()
	in := activities.PreflightInput{Plan: r.Planned.Digest, Until: workflow.Now(r.ctx).Add(wait), Earlier: r.sub.Earlier}
	var report health.Report
	o := looking(options("look at the fleet before the change", wait+gateTimeout), r.spec.Health.Every.Std())
	if err := r.do(r.ctx, o, activities.TypePreflight, in, &report); err != nil {
		return err
	}
	if !report.Over.IsZero() { // nor is an incident how targets usually are
		harm := source.EarlierRun{From: report.Over.Add(-r.spec.Health.Window.Std()), To: report.Over}
		r.sub.Earlier = append(slices.Clone(r.sub.Earlier), harm)
	}
	g := rollout.Gate{At: workflow.Now(r.ctx), Report: report}
	g.Decision, g.Why = rollout.Admit(report, r.sub.Override)
	if o := r.sub.Override; o != nil && g.Decision == rollout.Promote && report.Verdict() != health.Pass {
		g.Override = &rollout.Control{
			Signal: "start", By: rollout.PlainText(o.By), Why: rollout.PlainText(o.Why), At: r.State.StartedAt, Override: true,
		}
	}
	r.State.Preflight = &g
	if g.Decision == rollout.Refuse {
		f := &failure{
			refused: true, reason: rollout.RefusedUnhealthy,
			why: "the fleet is not healthy before the change: " + g.Why, report: &g.Report,
		}
		if report.Verdict() != health.Fail {
			f.reason, f.why = rollout.RefusedUnjudged, "nobody can judge the fleet before the change: "+g.Why
		}
		return f
	}
	return nil
}
