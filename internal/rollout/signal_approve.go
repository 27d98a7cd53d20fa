package rollout

import (
	"fmt"
	"slices"
)

// SignalApprove approves a stage that needs it.
const SignalApprove = "approve"

var approve = Signal{
	Name:  SignalApprove,
	Short: "approve a stage that needs it",
	Long: `Approves a stage with approval: required, the one that waits or the one named by
--stage, which may be given ahead. It approves one stage, once.`,
	Example:    `sluice approve edge-proxy --stage everyone --why "change board of Monday"`,
	Effect:     "approved: the stage begins when it is its turn",
	TakesStage: true,
	Aim: func(s State, req *ControlRequest) {
		if i := approvable(s, ""); i >= 0 && req.Stage == "" {
			req.Stage = s.Stages[i].Name
		}
	},
	Refuse: func(s State, c Control) string {
		named := slices.IndexFunc(s.Stages, func(st StageState) bool { return st.Name == c.Stage })
		switch {
		case approvable(s, c.Stage) >= 0:
			return ""
		case c.Stage == "":
			return "no stage waits for approval now; name one to approve it ahead"
		case named >= 0 && s.Stages[named].ApprovedBy != nil:
			return fmt.Sprintf("stage %q was approved by %s already", c.Stage, s.Stages[named].ApprovedBy.By)
		}
		return fmt.Sprintf("no stage %q needs approval", c.Stage)
	},
	Apply: func(s *State, c Control) {
		i := approvable(*s, c.Stage)
		if !s.Lenient && i == s.Awaited() { // the workflow says the same as soon as its newest look has ended
			p := PhasePreflight
			if !s.Stages[s.Stage].AppliedAt.IsZero() {
				p = PhaseBake
			}
			s.Enter(p, fmt.Sprintf("%s was approved by %s: a last look before it begins", s.Stages[i].Name, c.By), c.At)
		}
		s.Stages[i].ApprovedBy = &c
	},
}

// approvable is the index of the named stage if it still needs approval or, with no name, of the
// one that waits for it; -1 if there is none. One that was approved and has not begun yet waits no
// more, and the one after it does not wait yet.
func approvable(s State, name string) int {
	next := s.Stage
	if next < len(s.Stages) && !s.Stages[next].StartedAt.IsZero() {
		next++
	}
	return slices.IndexFunc(s.Stages, func(st StageState) bool {
		waits := s.Phase == PhaseApproval && (s.Lenient || st.Name == s.Stages[min(next, len(s.Stages)-1)].Name)
		return st.Approval != "" && st.ApprovedBy == nil && (name == st.Name || name == "" && waits)
	})
}
