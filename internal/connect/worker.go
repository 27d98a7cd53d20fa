package connect

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/internal/clock"
)

// Workers are what a process needs to run rollouts: one on its deployment's task
// queue, and one on its queue of the way back whose slots nothing else takes. Build it with NewWorkers.
type Workers struct {
	// Rollouts runs workflows and all activities but those of the way back.
	Rollouts worker.Worker
	back     worker.Worker
}

// NewWorkers makes a deployment's workers that run at most the given number of activities at once,
// beside those of the way back, and that tell a clock what the server says. They are not
// started.
func NewWorkers(c client.Client, d Deployment, activities int, server *clock.Clock) Workers {
	o := worker.Options{
		Interceptors:                       []interceptor.WorkerInterceptor{&listener{clock: server}},
		MaxConcurrentActivityExecutionSize: activities,
		// A restart lets batches finish; watches leave at once.
		WorkerStopTimeout: 15 * time.Second,
		// Heartbeats carry cancellations, and an abort should act within seconds. The server
		// has as long to answer one.
		MaxHeartbeatThrottleInterval:     2 * time.Second,
		DefaultHeartbeatThrottleInterval: 2 * time.Second,
	}
	back := o
	back.DisableWorkflowWorker, back.MaxConcurrentActivityExecutionSize = true, 0 // the SDK's own limit
	return Workers{Rollouts: worker.New(c, d.TaskQueue(), o), back: worker.New(c, d.RollbackQueue(), back)}
}

// RegisterActivityWithOptions registers an activity with both.
func (w Workers) RegisterActivityWithOptions(a any, o activity.RegisterOptions) {
	w.Rollouts.RegisterActivityWithOptions(a, o)
	w.back.RegisterActivityWithOptions(a, o)
}

// listener tells a clock when the server has started each activity.
type listener struct {
	interceptor.WorkerInterceptorBase
	clock *clock.Clock
}

// InterceptActivity listens to every activity.
func (l *listener) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &listening{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, clock: l.clock}
}

// listening is a listener on one activity.
type listening struct {
	interceptor.ActivityInboundInterceptorBase
	clock *clock.Clock
}

// ExecuteActivity runs the activity.
func (l *listening) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	l.clock.Heard(activity.GetInfo(ctx).StartedTime)
	return l.Next.ExecuteActivity(ctx, in)
}

// Start starts both.
func (w Workers) Start() error { return errors.Join(w.Rollouts.Start(), w.back.Start()) }

// Stop lets what runs finish for a while.
func (w Workers) Stop() {
	w.Rollouts.Stop()
	w.back.Stop()
}
