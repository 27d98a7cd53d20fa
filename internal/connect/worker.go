package connect

import (
	"time"

	"go.temporal.io/sdk/worker"
)

// WorkerOptions are the settings of every process that runs rollouts: the worker,
// and what measures it.
func WorkerOptions(activities int) worker.Options {
	return worker.Options{
		MaxConcurrentActivityExecutionSize: activities,
		// A restart lets batches finish; watches leave at once.
		WorkerStopTimeout: 15 * time.Second,
		// Heartbeats carry cancellations, and an abort should act within seconds.
		MaxHeartbeatThrottleInterval:     time.Second,
		DefaultHeartbeatThrottleInterval: time.Second,
	}
}
