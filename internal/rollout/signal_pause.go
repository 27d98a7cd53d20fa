package rollout

// SignalPause keeps a rollout from promoting.
const SignalPause = "pause"

var pause = Signal{
	Name:  SignalPause,
	Short: "stop promoting, and go on watching",
	Long: `Stops promotion and the clock of the bake, not the watching: a regression during
a pause still takes the rollout back. Use resume to go on.`,
	Example: `sluice pause edge-proxy --why "wait for the other team"`,
	Effect:  "paused: nothing is promoted until sluice resume; a regression still takes it back",
	Refuse: func(s State, _ Control) string {
		if s.Paused != nil {
			return "already paused by " + s.Paused.By
		}
		return ""
	},
	Apply: func(s *State, c Control) { s.Paused = &c },
}
