package rollout

// SignalGiveUp ends a way back as it is.
const SignalGiveUp = "give-up"

var giveUp = Signal{
	Name:  SignalGiveUp,
	Short: "end a rollback as it is, in your name",
	Long: `Ends a rollback at once, at any moment of it, and unlocks the unit. The targets that
are not known to be back stay as they are: they are named in the outcome (sluice
explain), with your name and the reason.`,
	Example:     `sluice give-up edge-proxy --why "both hosts are scrapped"`,
	Effect:      "given up: the unit is unlocked, and the targets that are left stay as they are",
	NeedsReason: true, ForWayBack: true,
	Apply: func(s *State, c Control) { s.GaveUp = &c },
}
