package rollout

import "fmt"

// SignalPromote ends a bake early, or passes a gate that holds.
const SignalPromote = "promote"

var promote = Signal{
	Name:  SignalPromote,
	Short: "end a bake early, or pass a hold, in your name",
	Long: `Ends the current stage's bake now, or passes a gate that holds because some check
has no verdict. It passes a FAIL only with --override. If the stage that was current when
you sent it has passed meanwhile, it has no effect. Your name and reason are kept with
the rollout.`,
	Example:     `sluice promote edge-proxy --why "urgent fix, looked at by hand"`,
	Effect:      "taken: the gate of the current stage decides now",
	NeedsReason: true, TakesStage: true, TakesOverride: true,
	Refuse: func(s State, c Control) string {
		switch {
		case s.Paused != nil:
			return "the rollout is paused: resume it first"
		case s.Phase != PhaseBake && s.Phase != PhaseHold && s.Phase != PhaseGate:
			return fmt.Sprintf("there is no gate to pass while %s", s.Phase)
		case s.Promotion != nil && (s.Promotion.Override || !c.Override) && !s.Lenient:
			return "promoted by " + s.Promotion.By + " already, and the gate decides now"
		case c.Stage != "" && c.Stage != s.Stages[s.Stage].Name:
			return fmt.Sprintf("it is for stage %s, and the current stage is %s", c.Stage, s.Stages[s.Stage].Name)
		}
		return ""
	},
	Apply: func(s *State, c Control) { s.Promotion = &c },
}
