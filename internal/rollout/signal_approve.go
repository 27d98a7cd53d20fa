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
--stage, which may be given ahead.`,
	Example:    `sluice approve edge-proxy --stage everyone --why "change board of Monday"`,
	Effect:     "approved: the stage begins when it is its turn",
	TakesStage: true,
	Refuse: func(s State, c Control) string {
		switch {
		case approvable(s, c.Stage) >= 0:
			return ""
		case c.Stage == "":
			return "no stage waits for approval now; name one to approve it ahead"
		}
		return fmt.Sprintf("no stage %q needs approval", c.Stage)
	},
	Apply: func(s *State, c Control) { s.Stages[approvable(*s, c.Stage)].ApprovedBy = &c },
}

// approvable is the index of the named stage if it still needs approval or, with no
// name, of the one that waits for it; -1 if there is none.
func approvable(s State, name string) int {
	if name == "" && s.Phase != PhaseApproval {
		return -1
	}
	return slices.IndexFunc(s.Stages, func(st StageState) bool {
		return st.Approval != "" && st.ApprovedBy == nil && (name == "" || name == st.Name)
	})
}
