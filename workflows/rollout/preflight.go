package rollout

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
)

// preflight judges the fleet before anything is changed: one that is unhealthy
// already is refused, unless whoever started the rollout has said why it may go on.
func (r *rollout) preflight() error {
	r.enter(PhasePreflight, "looking whether the fleet is healthy before the change")
	wait := r.spec.Stages[0].DecideWithin.Std()
	ctx := workflow.WithActivityOptions(r.ctx, options("look at the fleet before the change", wait+gateTimeout))
	in := activities.PreflightInput{Plan: r.planned.Digest, Until: workflow.Now(ctx).Add(wait), Earlier: r.sub.Earlier}
	var report health.Report
	if err := workflow.ExecuteActivity(ctx, acts.Preflight, in).Get(ctx, &report); err != nil {
		return err
	}
	g := Gate{At: workflow.Now(ctx), Report: report}
	g.Decision, g.Why = admit(report, r.sub.Override)
	if o := r.sub.Override; o != nil && g.Decision == Promote && report.Verdict() != health.Pass {
		g.Override = &Control{Signal: "start", By: bounded(o.By), Why: bounded(o.Why), At: r.state.StartedAt, Override: true}
	}
	r.state.Preflight = &g
	if g.Decision == Refuse {
		return &failure{refused: true, why: "the fleet is not healthy before the change: " + g.Why, report: &g.Report}
	}
	return nil
}

// admit is the rule of the look before the first stage. Harm that is there already
// refuses, and so do a source that answers nothing and a check that nothing will ever
// answer: nobody would see what the change does. Too little traffic does not: the gates
// will want more.
func admit(r health.Report, override *ControlRequest) (Decision, string) {
	verdict := r.Verdict()
	evidence := words(r, verdict)
	switch {
	case verdict == health.Pass:
		return Promote, evidence
	case verdict != health.Fail && !r.Mute() && !r.Impossible():
		return Promote, "no harm seen; not every check has enough to judge by yet: " + evidence
	case override != nil:
		return Promote, fmt.Sprintf("started by %s (%s) although: %s", bounded(override.By), bounded(override.Why), evidence)
	}
	return Refuse, evidence
}
