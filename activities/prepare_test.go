package activities

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// readying is a fake fleet whose targets prepare and settle.
type readying struct {
	*fakeFleet
	prepared, settled map[string]int
}

func (readying) Prepares() bool { return true }

func (r readying) Prepare(_ context.Context, t fleet.Target, _ driver.Order) error {
	return r.count(r.prepared, t)
}

func (r readying) Settle(_ context.Context, t fleet.Target, _ driver.Order) error {
	return r.count(r.settled, t)
}

func (r readying) count(in map[string]int, t fleet.Target) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.unreachable(t.ID):
		return r.words
	case r.refuses[t.ID]:
		return fmt.Errorf("%w: nginx: [emerg]", driver.ErrRefused)
	}
	in[t.ID]++
	return nil
}

func newReadying(t *testing.T, n int) (*fixture, readying) {
	f := newFixture(t, n)
	r := readying{f.fakeFleet, map[string]int{}, map[string]int{}}
	f.acts.newDriver = func(spec.Spec) (driver.Driver, error) { return r, nil }
	return f, r
}

// Each target is asked, whoever else refuses or is silent, and nothing is applied.
func TestPrepareAsksEveryTarget(t *testing.T) {
	f, r := newReadying(t, 20)
	f.down["t001"], f.down["t002"], f.refuses["t003"] = 2, 99, true
	out := untilDone[Prepared](t, f, f.acts.Prepare, PrepareInput{Batch: f.all, Fence: fence})
	require.Equal(t, 18, out.Ready)
	require.Len(t, out.Trouble, 2)
	require.Equal(t, Trouble{ID: "t002", Reason: "connection refused", Silent: true}, out.Trouble[0])
	require.True(t, out.Trouble[1].Refused)
	require.Contains(t, out.Trouble[1].Reason, "[emerg]")
	require.Len(t, r.prepared, 18)
	require.Empty(t, f.applies)
}

func TestPrepareGoesOnWhereItWas(t *testing.T) {
	f, r := newReadying(t, 20)
	f.env.SetHeartbeatDetails(saved{Done: []byte{0xff, 0x03}}) // the first ten
	out := do[Prepared](t, f, f.acts.Prepare, PrepareInput{Batch: f.all, Fence: fence})
	require.Equal(t, Prepared{Ready: 20}, out)
	require.Len(t, r.prepared, 10)
}

func TestSettleTellsEveryTarget(t *testing.T) {
	f, r := newReadying(t, 20)
	out := do[Prepared](t, f, f.acts.Settle, PrepareInput{Batch: f.all, Fence: fence})
	require.Equal(t, Prepared{Ready: 20}, out)
	require.Len(t, r.settled, 20)
}

// The plan says what the driver does; a worker of another version refuses rather than skips it.
func TestPlanSaysWhatTheDriverDoes(t *testing.T) {
	f, _ := newReadying(t, 3)
	planned := do[Planned](t, f, f.acts.Plan, f.input)
	require.True(t, planned.Prepares)
	require.True(t, planned.Settles)
	f.acts.newDriver = func(spec.Spec) (driver.Driver, error) { return f.fakeFleet, nil }
	planned = do[Planned](t, f, f.acts.Plan, f.input)
	require.False(t, planned.Prepares)
	_, err := f.env.ExecuteActivity(f.acts.Prepare, PrepareInput{Batch: f.all})
	require.ErrorContains(t, err, "the workers are of different versions")
}

// In a train a target that a younger rollout has taken is told by that one; anybody else who does
// not hear it is named.
func TestSettleWhereYoungerHaveTakenTargets(t *testing.T) {
	for _, overtaken := range []bool{false, true} {
		f, r := newReadying(t, 3)
		f.acts.newDriver = func(spec.Spec) (driver.Driver, error) { return fencing{r, "t001"}, nil }
		out := do[Prepared](t, f, f.acts.Settle, PrepareInput{Batch: f.all, Fence: fence, Overtaken: overtaken})
		require.Len(t, r.settled, 2)
		if overtaken {
			require.Empty(t, out.Trouble)
		} else {
			require.Len(t, out.Trouble, 1)
		}
	}
}

// fencing is a fleet of which one target has heard of a newer fence.
type fencing struct {
	readying
	id string
}

func (f fencing) Settle(ctx context.Context, t fleet.Target, o driver.Order) error {
	if t.ID == f.id {
		return driver.ErrFenced
	}
	return f.readying.Settle(ctx, t, o)
}
