package rollout

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// Whatever a run waits for, it waits for here: signals that have arrived meanwhile are applied
// before it goes on.

// do runs an activity and reads its answer into out.
func (r *run) do(ctx workflow.Context, o workflow.ActivityOptions, name string, in, out any) error {
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), name, in).Get(ctx, out)
	r.applyPendingSignals(ctx)
	return err
}

// await waits until a condition holds, also after the signals that have arrived are applied.
func (r *run) await(ctx workflow.Context, condition func() bool) error {
	for {
		err := workflow.Await(ctx, condition)
		r.applyPendingSignals(ctx)
		if err != nil || condition() {
			return err
		}
	}
}

// awaitFor waits until a condition holds, but no longer than d. The timer is shown as what says.
func (r *run) awaitFor(ctx workflow.Context, d time.Duration, what string, condition func() bool) error {
	o := workflow.AwaitOptions{Timeout: d, TimerOptions: workflow.TimerOptions{Summary: what}}
	_, err := workflow.AwaitWithOptions(ctx, o, condition)
	r.applyPendingSignals(ctx)
	return err
}
