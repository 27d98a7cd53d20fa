package rollout

import "fmt"

// SignalPromote ends a bake early, or passes a gate that holds.
const SignalPromote = "promote"

var promote = Signal{
	Name:  SignalPromote,
	Short: "end a bake early, or pass a hold, in your name",
	Long: `Ends the current stage's bake now, or passes a gate that holds for lack of a
verdict. It is for the stage that is current when you send it, and has no effect if
that one has passed meanwhile. Your name and the reason are kept with the rollout. A FAIL is passed only
with --override.`,
	Example:     `sluice promote edge-proxy --why "urgent fix, looked at by hand"`,
	Effect:      "taken: the gate of the current stage decides now",
	NeedsReason: true, TakesStage: true, TakesOverride: true,
	Refuse: func(s State, c Control) string {
		switch {
		case s.Paused != nil:
			return "the rollout is paused: resume it first"
		case s.Phase != PhaseBake && s.Phase != PhaseHold && s.Phase != PhaseGate:
			return fmt.Sprintf("there is no gate to pass while %s", s.Phase)
		case c.Stage != "" && c.Stage != s.Stages[s.Stage].Name:
			return fmt.Sprintf("it is for stage %s, and the current stage is %s", c.Stage, s.Stages[s.Stage].Name)
		}
		return ""
	},
	Apply: func(s *State, c Control) { s.Promotion = &c },
}
