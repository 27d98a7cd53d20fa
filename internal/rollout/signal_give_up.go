package rollout

// SignalGiveUp ends a rollout whose rollback is incomplete.
const SignalGiveUp = "give-up"

var giveUp = Signal{
	Name:  SignalGiveUp,
	Short: "end an incomplete rollback as it is, in your name",
	Long: `Ends a rollout whose rollback left targets behind, and unlocks the unit. Those
targets stay as they are: they are named in the outcome (sluice explain), with your
name and the reason.`,
	Example:     `sluice give-up edge-proxy --why "both hosts are scrapped"`,
	Effect:      "given up: the unit is unlocked, and the targets that are left stay as they are",
	NeedsReason: true, ForLocked: true,
	Apply: func(s *State, c Control) { s.Outcome.GaveUp = &c },
}
