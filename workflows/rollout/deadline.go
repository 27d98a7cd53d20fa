package rollout

import "go.temporal.io/sdk/workflow"

// keepDeadlines takes the rollout back when an approval or the end of a pause does not come in
// time, in whatever phase it then is.
func (r *run) keepDeadlines(ctx workflow.Context) {
	for {
		at, why := r.State.Due()
		moved := func() bool {
			now, _ := r.State.Due()
			return !now.Equal(at)
		}
		if at.IsZero() {
			_ = workflow.Await(ctx, moved) // ctx is never cancelled
			continue
		}
		_ = r.awaitFor(ctx, max(0, at.Sub(workflow.Now(ctx))), "the rollout rolls back if "+why, moved)
		if !moved() && !workflow.Now(ctx).Before(at) {
			r.State.Expire(why, workflow.Now(ctx))
			r.cancelForward()
			r.publish()
		}
	}
}

// ask notes until when a stage waits for its approval.
func (r *run) ask(i int) {
	if within := r.spec.Stages[i].ApproveWithin.Std(); within > 0 && r.State.Stages[i].ApproveBy.IsZero() {
		r.State.Stages[i].ApproveBy = workflow.Now(r.base).Add(within)
	}
}
