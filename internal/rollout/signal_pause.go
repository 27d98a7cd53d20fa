package rollout

import "time"

// SignalPause keeps a rollout from promoting.
const SignalPause = "pause"

var pause = Signal{
	Name:  SignalPause,
	Short: "stop promoting, and go on watching",
	Long: `Stops promotion and the clock of the bake, not the watching: a regression during
a pause still rolls the rollout back. Use resume to go on. With --within, a rollout that
nobody has resumed by then rolls back.`,
	Example:     `sluice pause edge-proxy --why "wait for the other team" --within 4h`,
	Effect:      "paused: nothing is promoted until sluice resume; a regression still rolls it back",
	TakesWithin: true,
	Refuse: func(s State, c Control) string {
		if s.Paused != nil {
			return "already paused by " + s.Paused.By
		}
		if d, err := time.ParseDuration(c.within); c.within != "" && (err != nil || d <= 0) {
			return `within is no duration, expected one such as "4h"`
		}
		return ""
	},
	Apply: func(s *State, c Control) {
		if d, err := time.ParseDuration(c.within); err == nil {
			c.Until = c.At.Add(d)
		}
		s.Paused = &c
	},
}
