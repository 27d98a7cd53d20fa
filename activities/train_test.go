package activities

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/train"
)

// In a train a way back replaces a younger release, leaves to an older rollout what that had put
// there, and takes an order with a higher fence for that one's way back.
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

// Two rollouts of a train that go back at once, each by itself: what the older one has put where
// the younger one goes back is a release that the younger one has never seen there. It is no drift,
// which would lock the unit.
func TestRevertBesideAnOlderOne(t *testing.T) {
	f := newFixture(t, 3)
	f.state["t000"] = driver.State{Release: "1.0.0", Fence: fence + 90, Alive: true} // the older one's way back, over 1.9.0 and 2.0.0
	f.state["t001"] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}      // not yet
	f.state["t002"] = driver.State{Release: "1.0.0", Fence: fence, Alive: true}      // by hand
	in := RevertInput{Batch: f.all, Fence: fence + 50, Forward: fence, Train: true, Previous: Previous{Common: "1.9.0"}}
	out := do[Reverted](t, f, f.acts.Revert, in)
	require.Equal(t, 1, out.Older)
	require.Equal(t, 1, out.Reverted)
	require.Equal(t, []string{"t002"}, namesOf(out.Trouble))
	require.Equal(t, "1.0.0", f.state["t000"].Release)

	in.Train = false
	out = do[Reverted](t, f, f.acts.Revert, in)
	require.Equal(t, []string{"t000", "t002"}, namesOf(out.Trouble), "alone, nobody else goes back")
}

// Targets that a younger rollout has taken are in no arm, and the control is what the next older
// one had reached.
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

	exposed, control = arms(StageRef{Stage: 1, Taken: []train.Progress{{Number: 2, Plan: "p", Stages: 1}}})
	require.Equal(t, all[2:5], exposed, "without what is taken")
	require.Equal(t, all[5:], control)

	exposed, control = arms(StageRef{Stage: 0, Ahead: &train.Progress{Number: 1, Plan: "p", Stages: 2}})
	require.Equal(t, all[:2], exposed)
	require.Equal(t, all[2:5], control, "beyond, nobody runs what it replaces")
}

// A withdrawn rollout leaves to a condemned one what that one had put there. The same release by
// name that was there before it is what the target goes back to: nobody else would put it back.
func TestRevertToAReleaseThatWasSubmittedAgain(t *testing.T) {
	f := newFixture(t, 3)
	f.state["t000"] = driver.State{Release: "1.9.0", Fence: 7, Alive: true} // rollout 1 of it, long ago
	f.state["t001"] = driver.State{Release: "1.9.0", Fence: 9, Alive: true} // rollout 3 of it, under way
	f.state["t002"] = driver.State{Release: "1.9.0", Fence: 7, Alive: true}
	was := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence, Train: true}).Previous
	require.Equal(t, Previous{Common: "1.9.0", Fence: 7, Fences: map[int64][]string{9: {"t001"}}}, was)
	do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: was})

	in := RevertInput{Batch: f.all, Fence: fence + 50, Forward: fence, Train: true, Previous: was, Condemned: []string{"1.9.0"}, Since: 9}
	out := do[Reverted](t, f, f.acts.Revert, in)
	require.Equal(t, 2, out.Reverted)
	require.Equal(t, 1, out.Older)
	require.Equal(t, "1.9.0", f.state["t000"].Release)
	require.Equal(t, "2.0.0", f.state["t001"].Release, "rollout 3 takes it back")
	require.Equal(t, "1.9.0", f.state["t002"].Release)

	in.Previous.Fence, in.Previous.Fences = 0, nil // a driver that keeps none
	require.Equal(t, 3, do[Reverted](t, f, f.acts.Revert, in).Older)
}

// What an earlier attempt has left to an older rollout is not counted as put back by the next one.
func TestRetriedRevertInATrain(t *testing.T) {
	f := newFixture(t, 3)
	ids := fleet.IDs(f.plan.Order)
	f.state[ids[0]] = driver.State{Release: "1.0.0", Fence: fence + 90, Alive: true} // an older one's way back is above
	f.state[ids[1]] = driver.State{Release: "1.0.0", Fence: fence + 50, Alive: true} // is back
	f.state[ids[2]] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
	f.env.SetHeartbeatDetails(saved{Done: []byte{0b11}, Aside: []byte{0b01}})
	in := RevertInput{Batch: f.all, Fence: fence + 50, Forward: fence, Train: true, Previous: Previous{Common: "1.0.0"}}
	out := do[Reverted](t, f, f.acts.Revert, in)
	require.Equal(t, 2, out.Reverted)
	require.Equal(t, 1, out.Older)
	require.Equal(t, 2, out.To[0].Targets)

	p := &progress{done: []bool{true, true, false}, aside: []bool{true, false, false}}
	require.Equal(t, saved{Done: []byte{0b11}, Aside: []byte{0b01}}, p.save())
}

// A workflow that is there is the rollout that is meant if its input says so, also after it has
// continued as new; else somebody has to look.
func TestStartRolloutThatIsThere(t *testing.T) {
	in := StartRolloutInput{Unit: "edge", Number: 3, Submission: map[string]any{"by": "ann", "train": map[string]any{"number": 3}}}
	for by, want := range map[string]string{"ann": "", "bob": "the workflow rollout:edge:3 is there, and is another rollout"} {
		c := &mocks.Client{}
		c.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).
			Return(nil, serviceerror.NewWorkflowExecutionAlreadyStarted("there", "", ""))
		newest, first := begun(t, map[string]any{"by": by, "carried": 1}), begun(t, map[string]any{"by": by, "train": map[string]any{"number": 3}})
		c.On("GetWorkflowHistory", mock.Anything, "rollout:edge:3", "", false, mock.Anything).Return(&past{newest})
		c.On("GetWorkflowHistory", mock.Anything, "rollout:edge:3", "first", false, mock.Anything).Return(&past{first})
		err := in.start(t.Context(), c, connect.Deployment(""))
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		require.True(t, ok && app.NonRetryable())
	}
}

// A plan of the train that the store has lost is cut again from the history of the rollout that has
// made it, not from the train's; where that cannot be, it is not tried for ever.
func TestCompareWithALostPlan(t *testing.T) {
	f := newFixture(t, 4)
	digest := f.all.Plan
	empty, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	f.acts.store, f.acts.plans = empty, map[string]plan.Plan{}
	var asked string
	f.acts.submission = func(_ context.Context, id, _ string) (PlanInput, error) {
		asked = id
		return f.input, nil
	}
	in := CompareInput{Unit: "edge", Younger: train.Progress{Number: 3, Plan: digest}, Older: train.Progress{Number: 2, Plan: digest}}
	out := do[train.Comparison](t, f, f.acts.Compare, in)
	require.Equal(t, train.Comparison{Needs: []int{1}, Covers: true}, out)
	require.Equal(t, "rollout:edge:3", asked)

	in.Older.Plan = "sha256:" + strings.Repeat("0", 64)
	_, err = f.env.ExecuteActivity(f.acts.Compare, in)
	require.ErrorContains(t, err, "read the plan of rollout 2")
}

// A rollout that was ended by hand on its way back says so in its history, if not in a report.
func TestWentBack(t *testing.T) {
	for name, want := range map[string]bool{TypeRevert: true, TypeApply: false} {
		got, err := wentBack(&past{begun(t, nil), scheduled(5, name)})
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
}

func namesOf(trouble []Trouble) (ids []string) {
	for _, t := range trouble {
		ids = append(ids, t.ID)
	}
	return ids
}
