package rollout

// SignalResume ends a pause.
const SignalResume = "resume"

var resume = Signal{
	Name:    SignalResume,
	Short:   "go on after a pause",
	Long:    `Ends a pause. The bake goes on with the time that was left of it.`,
	Example: "sluice resume edge-proxy",
	Effect:  "resumed: the bake goes on with the time that was left",
	Aim: func(s State, req *ControlRequest) {
		if s.Paused != nil && req.Since.IsZero() {
			req.Since = s.Paused.At
		}
		if req.Stage == "" {
			req.Stage = s.StageName()
		}
	},
	Refuse: func(s State, c Control) string {
		switch {
		case s.Paused == nil:
			return "not paused"
		case !c.isSince(s.Paused.At):
			return "it is for an earlier pause, and " + s.Paused.By + " has paused again since"
		}
		return ""
	},
	Apply: func(s *State, _ Control) { s.Paused = nil },
}
