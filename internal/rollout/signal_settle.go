package rollout

// SignalSettle ends a guard.
const SignalSettle = "settle"

var settle = Signal{
	Name:  SignalSettle,
	Short: "end the guard of a promoted release",
	Long: `After its last stage a release with a guard is watched on, and still goes back on harm.
This ends that: the release stays, as at the guard's own end. A start of the unit's next
rollout does the same.`,
	Example: `sluice settle features --why "the week is over"`,
	Effect:  "settled: the release stays, and nothing takes it back any more",
	Refuse: func(s State, _ Control) string {
		if s.Phase != PhaseGuard || s.Settled != nil {
			return "no guard goes on: the rollout is " + string(s.Phase)
		}
		return ""
	},
	Apply: func(s *State, c Control) { s.Settled = &c },
}
