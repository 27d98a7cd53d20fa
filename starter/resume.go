package main

import "github.com/sluicehq/sluice/internal/rollout"

func resumeCommand() command {
	return signalCommand{
		name:    rollout.SignalResume,
		short:   "go on after a pause",
		long:    `Ends a pause. The bake goes on with the time that was left of it.`,
		example: "sluice resume edge-proxy",
		effect:  "resumed: the bake goes on with the time that was left",
	}.command()
}
