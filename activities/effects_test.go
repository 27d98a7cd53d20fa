package activities

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/store"
)

const fence = 10

func TestObserveGroupsWhatItFinds(t *testing.T) {
	f := newFixture(t, 20)
	f.state["t003"] = driver.State{Release: "0.9.0", Alive: true}
	f.state["t004"] = driver.State{Release: "2.0.0", Alive: true}
	f.down["t005"] = 2 // answers the third time
	out := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence})
	require.Empty(t, out.Trouble)
	require.Equal(t, Previous{Common: "1.0.0", Others: map[string][]string{"0.9.0": {"t003"}, "2.0.0": {"t004"}}}, out.Previous)
	require.Equal(t, 1, out.Already)
}

func TestObserveNamesWhatMustNotBeChanged(t *testing.T) {
	f := newFixture(t, 20)
	f.state["t001"] = driver.State{Release: "1.0.0", Fence: fence + 2}
	f.state["t002"] = driver.State{}
	f.down["t003"] = 99
	out := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence})
	require.Len(t, out.Trouble, 3)
	require.Contains(t, out.Trouble[0].Reason, "another writer")
	require.Contains(t, out.Trouble[1].Reason, "nothing installed")
	require.Contains(t, out.Trouble[2].Reason, "connection refused")
}

func TestApplyChangesEveryTargetThatNeedsIt(t *testing.T) {
	f := newFixture(t, 20)
	f.down["t005"] = 2
	previous := Previous{Common: "1.0.0", Others: map[string][]string{"2.0.0": {"t004"}}}
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: previous})
	require.Equal(t, Applied{Changed: 19}, out)
	require.Zero(t, f.applies["t004"])
	require.Equal(t, 1, f.applies["t005"], "the order was given once it had answered")
}

// What somebody else changed between observing and applying is left alone: the way back would not
// know what to go back to.
func TestApplyLeavesDriftAlone(t *testing.T) {
	f := newFixture(t, 20)
	f.state["t007"] = driver.State{Release: "9.9.9-hotfix", Fence: 5, Alive: true}
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: Previous{Common: "1.0.0"}})
	require.Len(t, out.Trouble, 1)
	require.Contains(t, out.Trouble[0].Reason, "changed by somebody else")
	require.Equal(t, "9.9.9-hotfix", f.state["t007"].Release)
}

// An apply that broke off half-way may have left nothing: that is taken back, too.
func TestRevertMendsWhatIsHalfApplied(t *testing.T) {
	f := newFixture(t, 3)
	f.state["t001"] = driver.State{Release: "", Fence: fence}
	out := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}})
	require.Equal(t, Reverted{Reverted: 3, Fenced: 3, To: []rollout.Back{{Release: "1.0.0", Targets: 3}}}, out)
	require.Equal(t, "1.0.0", f.state["t001"].Release)
}

func TestApplyGoesOnWhereItWas(t *testing.T) {
	f := newFixture(t, 20)
	f.env.SetHeartbeatDetails(saved{Done: []byte{0xff, 0x03}}) // the first ten
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: Previous{Common: "1.0.0"}})
	require.Equal(t, 20, out.Changed)
	require.Len(t, f.applies, 10)
}

func TestApplyStopsAtTheFirstFailure(t *testing.T) {
	f := newFixture(t, 200)
	f.all.Parallel = 1
	f.refuses[f.plan.Order[3].ID] = true
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: Previous{Common: "1.0.0"}})
	require.Equal(t, 3, out.Changed)
	require.Len(t, out.Trouble, 1)
	require.Equal(t, 1, f.applies[out.Trouble[0].ID], "a refusal is not tried again")
	require.Len(t, f.applies, 4)
}

func TestRevert(t *testing.T) {
	f := newFixture(t, 20)
	for id := range f.state {
		f.state[id] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
	}
	f.state["t001"] = driver.State{Release: "1.0.0", Fence: 5, Alive: true}     // its apply never arrived
	f.state["t002"] = driver.State{Release: "3.0.0", Fence: fence, Alive: true} // somebody else's
	f.state["t003"] = driver.State{Release: "2.0.0", Fence: fence + 9}          // a newer writer's
	f.state["t004"] = driver.State{Release: "2.0.0", Fence: 5, Alive: true}     // found on the release
	f.down["t005"] = 3                                                          // comes back
	f.down["t006"] = 1000                                                       // does not
	f.ignores["t007"] = true                                                    // says yes and does nothing
	out := untilDone[Reverted](t, f, f.acts.Revert, RevertInput{
		Batch: f.all, Fence: fence + 1, Deadline: time.Now().Add(3 * time.Second),
		Previous: Previous{Common: "1.0.0", Others: map[string][]string{"2.0.0": {"t004"}, "0.9.0": {"t008"}}},
	})
	require.Equal(t, 15, out.Reverted)
	require.Equal(t, []rollout.Back{{Release: "1.0.0", Targets: 14}, {Release: "0.9.0", Targets: 1}}, out.To)
	ids := map[string]string{}
	for _, x := range out.Trouble {
		ids[x.ID] = x.Reason
	}
	require.Len(t, ids, 4)
	require.Contains(t, ids["t002"], "changed by somebody else")
	require.Contains(t, ids["t003"], "fence")
	require.Contains(t, ids["t006"], "deadline")
	require.Contains(t, ids["t007"], "still runs")
	require.Equal(t, "3.0.0", f.state["t002"].Release)
	require.Equal(t, "0.9.0", f.state["t008"].Release)
	require.Zero(t, f.applies["t004"])
	require.EqualValues(t, fence+1, f.state["t001"].Fence, "a late apply must be refused there too")
}

// Whatever the deadline, each target is tried once: workers may have been down for longer than it.
func TestRevertTriesOnceAfterTheDeadline(t *testing.T) {
	f := newFixture(t, 5)
	for id := range f.state {
		f.state[id] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
	}
	out := do[Reverted](t, f, f.acts.Revert, RevertInput{
		Batch: f.all, Fence: fence + 1, Deadline: time.Now().Add(-time.Hour), Previous: Previous{Common: "1.0.0"},
	})
	require.Equal(t, Reverted{Reverted: 5, Fenced: 5, To: []rollout.Back{{Release: "1.0.0", Targets: 5}}}, out)
}

func TestValidateNamesRefusals(t *testing.T) {
	f := newFixture(t, 5)
	f.refuses["t002"] = true
	out := do[[]Trouble](t, f, f.acts.Validate, ApplyInput{Batch: f.all, Fence: fence})
	require.Len(t, out, 1)
	require.Equal(t, "t002", out[0].ID)
	require.Empty(t, f.applies)
}

// A plan that is lost from the store is cut again from what the workflow was started with; another
// plan than the one asked for is never used.
func TestPlanThatIsNotInTheStore(t *testing.T) {
	f := newFixture(t, 5)
	var err error
	f.acts.store, err = store.Dir(t.TempDir())
	require.NoError(t, err)
	f.acts.plans = map[string]plan.Plan{}
	f.acts.submission = func(context.Context, string, string) (PlanInput, error) { return f.input, nil }
	out := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence})
	require.Equal(t, "1.0.0", out.Previous.Common)
	_, err = f.acts.store.Get(t.Context(), f.all.Plan)
	require.NoError(t, err, "it is kept again")

	b := f.all
	b.Plan = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	_, err = f.env.ExecuteActivity(f.acts.Observe, ObserveInput{Batch: b, Fence: fence})
	require.ErrorContains(t, err, "share one store")
	require.ErrorContains(t, err, "another version")
}

// A store that cannot be written keeps no plan from being made, where the history has the fleet:
// the answer says what is wrong. One that hangs is waited for once.
func TestPlanWithoutAStore(t *testing.T) {
	for name, where := range map[string]string{"read-only": "/proc/nowhere", "a file": "/dev/null"} {
		f := newFixture(t, 5)
		var err error
		f.acts.store, err = store.Dir(where)
		require.NoError(t, err)
		f.acts.plans = map[string]plan.Plan{}
		planned, err := f.acts.Plan(t.Context(), f.input)
		require.NoError(t, err, name)
		require.Equal(t, f.all.Plan, planned.Digest)
		require.Contains(t, planned.StoreTrouble, where)

		f.acts.plans = map[string]plan.Plan{} // another worker goes back
		f.acts.submission = func(context.Context, string, string) (PlanInput, error) { return f.input, nil }
		out := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}})
		require.Equal(t, Reverted{Reverted: 5, Fenced: 5, To: []rollout.Back{{Release: "1.0.0", Targets: 5}}}, out, name)

		stored := f.input
		stored.FleetData = nil
		_, err = f.acts.Plan(t.Context(), stored)
		require.Error(t, err, "nobody else has the fleet")
	}
}

// Words without end about thousands of targets stay far below the limit of a payload.
func TestLongReasonsAreCut(t *testing.T) {
	work := &progress{done: make([]bool, 1000)}
	for i := range 1000 {
		work.fail(Trouble{ID: fmt.Sprint("t", i), Reason: strings.Repeat("é", 5000)})
	}
	size := 0
	for _, trouble := range work.trouble {
		require.True(t, utf8.ValidString(trouble.Reason))
		size += len(trouble.Reason)
	}
	require.Less(t, size, 512<<10)
}

// Who runs the release is asked of the targets: what their fence says of it counts, whatever a
// history knows.
func TestSurvey(t *testing.T) {
	f := newFixture(t, 6)
	f.state["t001"] = driver.State{Release: "2.0.0", Fence: fence}
	f.state["t002"] = driver.State{Release: "2.0.0", Fence: 7}
	f.state["t003"] = driver.State{}
	f.down["t004"] = 99
	f.down["t005"] = 1 // a lost packet
	out := do[Surveyed](t, f, f.acts.Survey, SurveyInput{Batch: f.all, Fence: fence, Within: time.Minute})
	require.Equal(t, Surveyed{
		On: []string{"t001", "t002"}, Own: 1, Others: map[string]int{"1.0.0": 2, "": 1},
		Silent: []Trouble{{ID: "t004", Reason: "connection refused", Silent: true}},
	}, out)
	require.Empty(t, f.applies)
	out = do[Surveyed](t, f, f.acts.Survey, SurveyInput{Batch: f.all, Fence: fence, Within: -1})
	require.Len(t, out.Silent, 6, "a target that was not asked in time is named")
}

// An order of the rollout's own that its history does not know stops it.
func TestObserveKnowsItsOwnFence(t *testing.T) {
	for _, own := range []int64{fence, fence + 1} {
		f := newFixture(t, 3)
		f.state["t001"] = driver.State{Release: "2.0.0", Fence: own}
		out := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence})
		require.Len(t, out.Trouble, 1)
		require.Contains(t, out.Trouble[0].Reason, "an order of this rollout")
		require.Contains(t, out.Trouble[0].Reason, "restored")
	}
}

// What an earlier run has left is put back, unless somebody has put the target right since.
func TestRevertOfWhatAnEarlierRunLeft(t *testing.T) {
	f := newFixture(t, 4)
	f.state["t000"] = driver.State{Release: "2.0.0", Fence: fence}
	f.state["t001"] = driver.State{Release: "3.0.0", Fence: fence}     // by hand
	f.state["t002"] = driver.State{Release: "1.5.0", Fence: fence + 9} // by a newer rollout
	f.state["t003"] = driver.State{Release: "2.0.0", Fence: fence + 9} // likewise
	in := RevertInput{Batch: f.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}, Inherited: true}
	out := do[Reverted](t, f, f.acts.Revert, in)
	require.Equal(t, 3, out.Reverted)
	require.Len(t, out.Trouble, 1)
	require.Equal(t, "t003", out.Trouble[0].ID)
	require.Equal(t, "1.0.0", f.state["t000"].Release)
	require.Equal(t, "3.0.0", f.state["t001"].Release)
	require.Equal(t, "1.5.0", f.state["t002"].Release)
}
