package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

// In a train a way back replaces a younger release, leaves to an older rollout what that had put there, and takes an order
// with a higher fence for that one's way back.
func TestRevertInATrain(t *testing.T) {
	f := newFixture(t, 4)
	f.state["t000"] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}     // its own
	f.state["t001"] = driver.State{Release: "2.1.0", Fence: fence + 1, Alive: true} // a younger one's
	f.state["t002"] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}     // put there over a condemned one
	f.state["t003"] = driver.State{Release: "1.0.0", Fence: fence + 90, Alive: true}
	in := RevertInput{
		Batch: f.all, Fence: fence + 50, Forward: fence, Train: true, Younger: []string{"2.1.0"}, Condemned: []string{"1.9.0"},
		Previous: Previous{Common: "1.0.0", Others: map[string][]string{"1.9.0": {"t002"}}},
	}
	out := do[Reverted](t, f, f.acts.Revert, in)
	require.Equal(t, 2, out.Reverted)
	require.Equal(t, 2, out.Older)
	require.Empty(t, out.Trouble)
	require.Equal(t, "1.0.0", f.state["t000"].Release)
	require.Equal(t, "1.0.0", f.state["t001"].Release)
	require.Equal(t, "2.0.0", f.state["t002"].Release, "whoever had put 1.9.0 there takes it back")

	f.state["t001"] = driver.State{Release: "2.2.0", Fence: fence + 1, Alive: true} // nobody's that is known
	in.Train = false
	out = do[Reverted](t, f, f.acts.Revert, in)
	require.Len(t, out.Trouble, 2, "%+v", out)
}

// Targets that a younger rollout has taken are in no arm, and the control is what the next older one had reached.
func TestArms(t *testing.T) {
	f := newFixture(t, 10)
	p := f.plan
	p.Spec.Stages = []spec.Stage{{Name: "canary"}, {Name: "half"}, {Name: "all"}}
	p.Stages = []plan.Stage{{Name: "canary", To: 2}, {Name: "half", From: 2, To: 5}, {Name: "all", From: 5, To: 10}}
	f.acts.remember("p", p)
	arms := func(ref StageRef) (exposed, control []string) {
		ref.Plan = "p"
		b, err := f.acts.arms(t.Context(), p, ref)
		require.NoError(t, err)
		return fleet.IDs(b.Exposed), fleet.IDs(b.Control)
	}
	all := fleet.IDs(p.Order)
	exposed, control := arms(StageRef{Stage: 1})
	require.Equal(t, all[:5], exposed)
	require.Equal(t, all[5:], control)

	exposed, control = arms(StageRef{Stage: 1, Taken: []train.Reach{{Number: 2, Plan: "p", Stages: 1}}})
	require.Equal(t, all[2:5], exposed, "without what is taken")
	require.Equal(t, all[5:], control)

	exposed, control = arms(StageRef{Stage: 0, Ahead: &train.Reach{Number: 1, Plan: "p", Stages: 2}})
	require.Equal(t, all[:2], exposed)
	require.Equal(t, all[2:5], control, "beyond, nobody runs what it replaces")
}
