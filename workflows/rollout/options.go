package rollout

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// heartbeatTimeout is how soon a dead worker's activity is started elsewhere.
const heartbeatTimeout = 15 * time.Second

// options are those of every activity: retried without end, since what an activity decides is in
// its result and an error is only trouble on the way. An abort or a deadline ends it instead.
func options(summary string, timeout time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		Summary:             summary,
		StartToCloseTimeout: timeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
		},
	}
}

// looking sets the heartbeat timeout of an activity that looks again and again to three times its
// pace, 45 seconds by default. Thousands look at once, and their heartbeats are what they cost the
// server.
func looking(o workflow.ActivityOptions, every time.Duration) workflow.ActivityOptions {
	o.HeartbeatTimeout = min(max(heartbeatTimeout, 3*every), time.Minute)
	return o
}

// Time limits of one attempt. They only bound what hangs: a batch of 1,000 targets needs about ten
// minutes when every target times out three times.
const (
	batchTimeout = 30 * time.Minute
	// stragglersWithin is how long stragglers are asked, well below an attempt's limit.
	stragglersWithin = 20 * time.Minute
	baselineTimeout  = 90 * time.Minute // a spec may have a fleet measured for an hour
	gateTimeout      = 15 * time.Minute
)

// Plainly is what a person can use of an error of an activity: Temporal adds its types and numbers
// of events.
func Plainly(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return "no worker has answered in time (" + timeout.TimeoutType().String() + ")"
	}
	return err.Error()
}
