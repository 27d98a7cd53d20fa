package main

import "github.com/sluicehq/sluice/internal/rollout"

func approveCommand() command {
	return signalCommand{
		name:  rollout.SignalApprove,
		short: "approve a stage that needs it",
		long: `Approves a stage with approval: required, the one that waits or the one named by
--stage, which may be given ahead.`,
		example: `sluice approve edge-proxy --stage everyone --why "change board of Monday"`,
		stage:   true,
		effect:  "approved: the stage begins when it is its turn",
	}.command()
}
