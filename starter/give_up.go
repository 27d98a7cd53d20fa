package main

import "github.com/sluicehq/sluice/internal/rollout"

func giveUpCommand() command {
	return signalCommand{
		name:  rollout.SignalGiveUp,
		short: "end an incomplete rollback as it is, in your name",
		long: `Ends a rollout whose rollback left targets behind, and unlocks the unit. Those
targets stay as they are: they are named in the outcome (sluice explain), with your
name and the reason.`,
		example:  `sluice give-up edge-proxy --why "both hosts are scrapped"`,
		needsWhy: true,
		effect:   "given up: the unit is unlocked, and the targets that are left stay as they are",
	}.command()
}
