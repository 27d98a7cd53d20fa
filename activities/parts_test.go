package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

func shop(app, features string) string {
	return spec.Compose([]spec.PartRelease{{Unit: "app", Release: app}, {Unit: "features", Release: features}})
}

// shopFixture is n targets on app 1 and features 1, and a plan for 2 of both. The fixture's own
// fleet is app.
func shopFixture(t *testing.T, n int) (f *fixture, features *fakeFleet) {
	t.Helper()
	f = newFixture(t, n)
	features = newFixture(t, n).fakeFleet
	for _, part := range []*fakeFleet{f.fakeFleet, features} {
		for id := range part.state {
			part.state[id] = driver.State{Release: "1", Fence: 5, Alive: true}
		}
	}
	f.acts.newDriver = func(spec.Spec) (driver.Driver, error) {
		return driver.Parts(driver.Part{Unit: "app", Driver: eager{f.fakeFleet}}, driver.Part{Unit: "features", Driver: eager{features}}), nil
	}
	f.input.Spec.Release, f.input.Spec.Apply.Attempts = shop("2", "2"), 1
	planned, err := f.acts.Plan(t.Context(), f.input)
	require.NoError(t, err)
	require.False(t, planned.Prepares)
	require.False(t, planned.Settles)
	f.all.Plan = planned.Digest
	return f, features
}

// eager finds out that a target refuses when it gives the order.
type eager struct{ *fakeFleet }

func (eager) Validate(context.Context, fleet.Target, driver.Order) error { return nil }

func (f *fakeFleet) runs(id string) string { return f.state[id].Release }

// An apply that broke off between the parts goes on; the way back takes whichever part it had come
// to.
func TestPartsGoOnAndGoBack(t *testing.T) {
	f, features := shopFixture(t, 3)
	before := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: 8}).Previous
	require.Equal(t, shop("1", "1"), before.Common)
	f.state["t000"] = driver.State{Release: "2", Fence: 8, Alive: true}
	features.refuses["t001"] = true
	in := ApplyInput{Batch: f.all, Previous: before, Fence: 8}
	out := do[Applied](t, f, f.acts.Apply, in)
	require.Equal(t, []Trouble{{ID: "t001", Reason: "app runs 2, features still runs 1: part features: refused by target: no"}}, out.Trouble)
	require.Equal(t, []string{"2", "1"}, []string{f.runs("t001"), features.runs("t001")})
	features.refuses["t001"] = false
	require.Equal(t, Applied{Changed: 3}, do[Applied](t, f, f.acts.Apply, in))
	for id := range f.state {
		require.Equal(t, []string{"2", "2"}, []string{f.runs(id), features.runs(id)})
	}

	features.state["t001"] = driver.State{Release: "1", Fence: 9, Alive: true}
	features.state["t002"] = driver.State{Alive: true} // an apply that broke off may leave nothing
	back := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Previous: before, Fence: 9, Deadline: time.Now().Add(time.Second)})
	require.Equal(t, 3, back.Reverted, back.Trouble)
	for id := range f.state {
		want := driver.State{Release: "1", Fence: 9, Alive: true}
		require.Equal(t, []driver.State{want, want}, []driver.State{f.state[id], features.state[id]})
	}
}

// A target that is between its parts is never back: it is named, with what each part runs.
func TestPartsThatStayBehindAreNamed(t *testing.T) {
	f, features := shopFixture(t, 4)
	before := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: 8}).Previous
	do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Previous: before, Fence: 8})
	f.refuses["t000"] = true
	features.refuses["t001"] = true
	features.state["t002"] = driver.State{Release: "9", Fence: 8, Alive: true} // by somebody else
	for _, inherited := range []bool{false, true} {
		f.applies["t001"] = 0
		back := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Previous: before, Fence: 9, Deadline: time.Now(), Inherited: inherited})
		reasons := map[string]string{}
		for _, trouble := range back.Trouble {
			reasons[trouble.ID] = trouble.Reason
			require.True(t, trouble.Final)
		}
		require.Equal(t, map[string]string{
			"t000": "features runs 1, app still runs 2: part app: refused by target: no",
			"t001": "features still runs 2, app still runs 2: part features: refused by target: no",
			"t002": `changed by somebody else: runs "app=2,features=9", neither "app=2,features=2" nor "app=1,features=1", and was left alone`,
		}, reasons)
		require.Equal(t, 1, back.Reverted)
		require.Zero(t, f.applies["t001"], "app may need the features that it has come with")
	}
}

// Whoever lost a rollout's history finds a target between the parts by its fence.
func TestSurveyFindsWhatIsBetween(t *testing.T) {
	f, features := shopFixture(t, 4)
	f.state["t000"] = driver.State{Release: "2", Fence: 8, Alive: true}
	f.state["t001"] = driver.State{Release: "2", Fence: 6, Alive: true}
	f.state["t002"], features.state["t002"] = driver.State{Release: "1", Fence: 9, Alive: true}, driver.State{Release: "1", Fence: 8, Alive: true}
	f.state["t003"], features.state["t003"] = driver.State{Release: "2", Fence: 8, Alive: true}, driver.State{Release: "2", Fence: 8, Alive: true}
	got := do[Surveyed](t, f, f.acts.Survey, SurveyInput{Batch: f.all, Fence: 8, Within: time.Minute})
	require.ElementsMatch(t, []string{"t000", "t003"}, got.On)
	require.Equal(t, 2, got.Own)
	require.Equal(t, map[string]int{shop("2", "1"): 1, shop("1", "1"): 1}, got.Others)
}

// A part of which nothing is installed has nothing to go back to, unless the spec says so.
func TestPartThatIsMissing(t *testing.T) {
	f, features := shopFixture(t, 1)
	features.state["t000"] = driver.State{Alive: true}
	got := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: 8})
	require.Contains(t, got.Trouble[0].Reason, "has nothing installed of its part features")
	require.False(t, got.Trouble[0].Silent)

	f.input.Spec.Fallback = &spec.Fallback{Remove: true}
	planned, err := f.acts.Plan(t.Context(), f.input)
	require.NoError(t, err)
	f.all.Plan = planned.Digest
	for _, app := range []string{"1", ""} {
		f.state["t000"] = driver.State{Release: app, Fence: 5, Alive: true}
		got = do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: 8})
		require.Equal(t, Previous{Common: shop(app, "")}, got.Previous)
		do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Previous: got.Previous, Fence: 8})
		require.Equal(t, "2", features.runs("t000"))
		back := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Previous: got.Previous, Fence: 9, Deadline: time.Now()})
		require.Equal(t, 1, back.Reverted)
		require.Equal(t, []string{app, ""}, []string{f.runs("t000"), features.runs("t000")})
		f.state["t000"], features.state["t000"] = driver.State{Alive: true}, driver.State{Alive: true}
	}
}

// A target of which one part was changed, and another is silent, is no silent one that could be
// left out. One that did not answer, and turns out to be between its parts, is named: what it runs
// is no way back.
func TestPartsThatGoSilent(t *testing.T) {
	f, features := shopFixture(t, 2)
	before := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: 8}).Previous
	f.acts.newDriver = func(spec.Spec) (driver.Driver, error) {
		return driver.Parts(driver.Part{Unit: "app", Driver: eager{f.fakeFleet}}, driver.Part{Unit: "features", Driver: mute{eager{features}}}), nil
	}
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Previous: before, Fence: 8, Tolerate: 2})
	require.Equal(t, Trouble{ID: out.Trouble[0].ID, Reason: "app runs 2, features still runs 1: part features: connection refused"}, out.Trouble[0])

	got := do[Stragglers](t, f, f.acts.FindStragglers, StragglersInput{Plan: f.all.Plan, Absent: []string{out.Trouble[0].ID}, Fence: 8, Parallel: 1})
	require.Empty(t, got.Ready)
	require.Contains(t, got.Still[0].Reason, `is between its parts by an order that was not answered: runs "app=2,features=1"`)
	require.False(t, got.Still[0].Silent)
}

// mute takes no orders.
type mute struct{ eager }

func (mute) Apply(context.Context, fleet.Target, driver.Order) error { return errDown }

// A newer order for the second part is noticed before the first is changed.
func TestPartsOfAnotherWriter(t *testing.T) {
	f, features := shopFixture(t, 1)
	before := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: 8}).Previous
	features.state["t000"] = driver.State{Release: "1", Fence: 10, Alive: true}
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Previous: before, Fence: 8})
	require.Equal(t, "refused by fence: has accepted fence 10, newer than 8", out.Trouble[0].Reason)
	require.Equal(t, "1", f.runs("t000"))
}
