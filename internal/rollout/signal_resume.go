package rollout

// SignalResume ends a pause.
const SignalResume = "resume"

var resume = Signal{
	Name:    SignalResume,
	Short:   "go on after a pause",
	Long:    `Ends a pause. The bake goes on with the time that was left of it.`,
	Example: "sluice resume edge-proxy",
	Effect:  "resumed: the bake goes on with the time that was left",
	Refuse: func(s State, _ Control) string {
		if s.Paused == nil {
			return "not paused"
		}
		return ""
	},
	Apply: func(s *State, _ Control) { s.Paused = nil },
}
