package main

import "github.com/sluicehq/sluice/internal/rollout"

func abortCommand() command {
	return signalCommand{
		name:  rollout.SignalAbort,
		short: "take a rollout back now",
		long: `Takes the rollout back: every target that it touched returns to what it ran
before. With no worker up, that begins when one is back. Do not terminate the
workflow in Temporal instead: that takes nothing back.`,
		example: `sluice abort edge-proxy --why "customers report errors"`,
		effect:  "aborted: every touched target goes back to what it ran before; follow it with sluice watch",
	}.command()
}
