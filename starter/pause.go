package main

import "github.com/sluicehq/sluice/internal/rollout"

func pauseCommand() command {
	return signalCommand{
		name:  rollout.SignalPause,
		short: "stop promoting, and go on watching",
		long: `Stops promotion and the clock of the bake, not the watching: a regression during
a pause still takes the rollout back. Use resume to go on.`,
		example: `sluice pause edge-proxy --why "wait for the other team"`,
		effect:  "paused: nothing is promoted until sluice resume; a regression still takes it back",
	}.command()
}
