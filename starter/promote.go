package main

import "github.com/sluicehq/sluice/internal/rollout"

func promoteCommand() command {
	return signalCommand{
		name:  rollout.SignalPromote,
		short: "end a bake early, or pass a hold, in your name",
		long: `Ends the current stage's bake now, or passes a gate that holds for lack of a
verdict. It is for the stage that is current when you send it, and has no effect if
that one has passed meanwhile. Your name and the reason are kept with the rollout. A FAIL is passed only
with --override.`,
		example:  `sluice promote edge-proxy --why "urgent fix, looked at by hand"`,
		needsWhy: true, stage: true, override: true,
		effect: "taken: the gate of the current stage decides now",
	}.command()
}
