package main

import "github.com/sluicehq/sluice/internal/rollout"

func retryRollbackCommand() command {
	return signalCommand{
		name:  rollout.SignalRetry,
		short: "try again to take back what an incomplete rollback left",
		long: `After a rollback that left targets behind, the rollout waits and the unit stays
locked. This tries those targets once more, for as long as rollback.deadline.`,
		example: `sluice retry-rollback edge-proxy --why "the hosts are up again"`,
		effect:  "taken: the targets that are left are tried again; follow it with sluice watch",
	}.command()
}
