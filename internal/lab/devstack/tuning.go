package main

import (
	"time"

	dc "go.temporal.io/server/common/dynamicconfig"
)

// tuning overrides server defaults that are meant for clusters with hundreds of history shards.
// This server has few, and with the defaults every activity in a sequence takes 100 ms and every
// timer a second, whatever the machine: a demonstration would show the limits of the server's
// settings, not of what runs on it.
func tuning() dc.StaticClient {
	const pollsPerSecond = 2000
	return dc.StaticClient{
		// Per-shard limits on how often the queues are read: 20 a second by default.
		dc.TransferProcessorMaxPollRPS.Key():   pollsPerSecond,
		dc.TimerProcessorMaxPollRPS.Key():      pollsPerSecond,
		dc.VisibilityProcessorMaxPollRPS.Key(): pollsPerSecond,

		// Timers may fire this much late to be read in bulk: 1 s by default.
		dc.TimerProcessorMaxTimeShift.Key(): 10 * time.Millisecond,

		// Four partitions by default, so that many hosts can share a queue. With one host they only
		// add forwarding.
		dc.MatchingNumTaskqueueReadPartitions.Key():  1,
		dc.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// 10 a second by default, which several users of `sluice list` and the Web UI's refresh
		// reach together.
		dc.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 200,
	}
}
