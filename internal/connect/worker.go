package connect

import (
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
)

// Workers are what a process needs to run rollouts: one on its deployment's task queue, and one on
// its queue of the way back whose slots nothing else takes. Build it with NewWorkers.
type Workers struct {
	// Rollouts runs workflows and all activities but those of the way back.
	Rollouts worker.Worker
	back     worker.Worker
}

// NewWorkers makes a deployment's workers that run at most the given number of activities at once,
// beside those of the way back, and whose work goes through interceptors. They are not started.
func NewWorkers(c client.Client, d Deployment, activities int, through ...interceptor.WorkerInterceptor) Workers {
	o := worker.Options{
		Interceptors:                       through,
		MaxConcurrentActivityExecutionSize: activities,
		// A restart lets batches finish; watches leave at once.
		WorkerStopTimeout: 15 * time.Second,
		// Heartbeats carry cancellations, and an abort should act within seconds. The server has as
		// long to answer one.
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

// Start starts both.
func (w Workers) Start() error { return errors.Join(w.Rollouts.Start(), w.back.Start()) }

// Stop lets what runs finish for a while.
func (w Workers) Stop() {
	w.Rollouts.Stop()
	w.back.Stop()
}
