package rollout

import (
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/notify"
	"github.com/sluicehq/sluice/internal/rollout"
)

// notifyFor is how long a receiver that is down is tried.
const notifyFor = time.Hour

// Notify tells a receiver of one event, for as long as an hour if need be. It is a workflow of its
// own, so that no rollout waits for a receiver, not even to end.
func Notify(ctx workflow.Context, in activities.NotifyInput) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:                "tell that " + in.Event.Unit + " is " + in.Event.Event,
		StartToCloseTimeout:    30 * time.Second,
		ScheduleToCloseTimeout: notifyFor,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute},
	})
	return workflow.ExecuteActivity(ctx, activities.TypeNotify, in).Get(ctx, nil)
}

// announce starts a notification of a phase, once for each stage, and of a lock every time. It does
// not wait.
func (r *run) announce(p rollout.Phase, why string) {
	to := r.sub.Spec.Notify
	if to == nil || !slices.Contains(to.On, string(p)) {
		return
	}
	e := r.event(p, why)
	once := e.Stage + "/" + e.Event
	if p == rollout.PhaseLocked {
		once += fmt.Sprint("/try ", r.Back.Tries) // the next lock is announced, too
	}
	if slices.Contains(r.Announced, once) {
		return
	}
	r.Announced = append(r.Announced, once)
	ctx := workflow.WithChildOptions(r.base, workflow.ChildWorkflowOptions{
		WorkflowID:        fmt.Sprintf("notify:%s:%s:%d", r.State.Unit, e.RunID, len(r.Announced)),
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     e.Text,
	})
	begun := workflow.ExecuteChildWorkflow(ctx, connect.NotifyType, activities.NotifyInput{To: *to, Event: e}).GetChildWorkflowExecution()
	r.starting++
	workflow.Go(r.base, func(ctx workflow.Context) {
		if err := begun.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("a notification was not started", "event", e.Event, "error", err)
		}
		r.starting--
	})
}

// awaitNotifications waits until the server has taken every notification. It does not wait for any
// receiver.
func (r *run) awaitNotifications() {
	_ = r.await(r.base, func() bool { return r.starting == 0 }) // base is never cancelled
}

// mostNamed is how many targets a notification names.
const mostNamed = 20

// event is what a notification says of a phase.
func (r *run) event(p rollout.Phase, why string) notify.Event {
	s := r.State
	e := notify.Event{
		Event: string(p), Unit: s.Unit, Release: s.Release, Why: why, By: s.By, At: workflow.Now(r.base),
		WorkflowID: workflow.GetInfo(r.base).WorkflowExecution.ID, RunID: workflow.GetInfo(r.base).WorkflowExecution.RunID,
		Stage: s.StageName(), Targets: s.Targets, Exposed: s.Exposed, Text: fmt.Sprintf("%s %s: %s: %s", s.Unit, s.Release, p, why),
	}
	if s.Outcome != nil {
		for _, t := range s.Outcome.NotReverted[:min(len(s.Outcome.NotReverted), mostNamed)] {
			e.NotReverted = append(e.NotReverted, t.ID)
		}
	}
	return e
}
