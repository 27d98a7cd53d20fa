package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	temporalactivity "go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

// fakeFleet is a driver over targets in memory. A target's down counts the calls that it does not
// answer yet.
type fakeFleet struct {
	mu      sync.Mutex
	state   map[string]driver.State
	down    map[string]int
	refuses map[string]bool
	ignores map[string]bool
	applies map[string]int
	// words are the error of a target that is down.
	words error
}

var errDown = errors.New("connection refused")

func (f *fakeFleet) unreachable(id string) bool {
	if f.down[id] == 0 {
		return false
	}
	f.down[id]--
	return true
}

func (f *fakeFleet) Observe(_ context.Context, t fleet.Target, _ string) (driver.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unreachable(t.ID) {
		return driver.State{}, f.words
	}
	return f.state[t.ID], nil
}

func (f *fakeFleet) Validate(_ context.Context, t fleet.Target, _ driver.Order) error {
	if f.refuses[t.ID] {
		return driver.ErrRefused
	}
	return nil
}

func (f *fakeFleet) Apply(_ context.Context, t fleet.Target, o driver.Order) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applies[t.ID]++
	switch s := f.state[t.ID]; {
	case f.unreachable(t.ID):
		return f.words
	case f.refuses[t.ID]:
		return fmt.Errorf("%w: no", driver.ErrRefused)
	case s.Fence > o.Fence:
		return driver.ErrFenced
	case f.ignores[t.ID]:
		return nil
	}
	f.state[t.ID] = driver.State{Release: o.Release, Fence: o.Fence, Alive: true}
	return nil
}

// fixture is activities over a fake fleet of n targets on 1.0.0, with a plan of one stage.
type fixture struct {
	*fakeFleet
	acts     *Activities
	env      *testsuite.TestActivityEnvironment
	plan     plan.Plan
	attempts int // that ended for another one
	// input is what the plan was made from.
	input PlanInput
	all   Batch
}

func newFixture(t *testing.T, n int) *fixture {
	t.Helper()
	return newFixtureWith(t, n, spec.Health{})
}

// newFixtureWith is newFixture with health to judge by.
func newFixtureWith(t *testing.T, n int, h spec.Health) *fixture {
	t.Helper()
	kept, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	f := &fixture{fakeFleet: &fakeFleet{
		state: map[string]driver.State{}, down: map[string]int{}, refuses: map[string]bool{},
		ignores: map[string]bool{}, applies: map[string]int{}, words: errDown,
	}}
	f.acts = New(kept, NewMetrics(prometheus.NewRegistry()), dial.Guard{}, catalog.New())
	f.acts.newDriver = func(spec.Spec) (driver.Driver, error) { return f.fakeFleet, nil }
	var inventory fleet.Fleet
	for i := range n {
		id := fmt.Sprintf("t%03d", i)
		inventory.Targets = append(inventory.Targets, fleet.Target{ID: id, Address: id + ":80"})
		f.state[id] = driver.State{Release: "1.0.0", Fence: 5, Alive: true}
	}
	s := spec.Spec{
		Unit: "edge", Release: "2.0.0", Health: h, Apply: spec.Apply{Batch: 500, Parallel: 10, Attempts: 3},
		Stages: []spec.Stage{{Name: "all", Reach: &spec.Reach{Percent: 100}, Bake: spec.Duration(time.Minute)}},
	}
	digest, data, err := fleet.Encode(inventory)
	require.NoError(t, err)
	f.input = PlanInput{Spec: s, FleetDigest: digest, FleetData: data}
	planned, err := f.acts.Plan(t.Context(), f.input)
	require.NoError(t, err)
	require.Equal(t, n, planned.Targets)
	f.plan, err = f.acts.load(t.Context(), planned.Digest)
	require.NoError(t, err)
	f.all = Batch{Plan: planned.Digest, From: 0, To: n, Parallel: 10}
	var suite testsuite.WorkflowTestSuite
	f.env = suite.NewTestActivityEnvironment()
	f.acts.Register(f.env)
	return f
}

// untilDone runs an activity as Temporal does: again, with the details of the last heartbeat, until
// it ends without an error.
func untilDone[T any](t *testing.T, f *fixture, activity, in any) T {
	t.Helper()
	var details converter.EncodedValues
	f.env.SetOnActivityHeartbeatListener(func(_ *temporalactivity.Info, d converter.EncodedValues) { details = d })
	for {
		v, err := f.env.ExecuteActivity(activity, in)
		if err == nil {
			var out T
			require.NoError(t, v.Get(&out))
			return out
		}
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		require.True(t, ok && app.Type() == errTypeElsewhere, "%v", err)
		f.attempts++
		require.NoError(t, pause.For(t.Context(), app.NextRetryDelay()))
		var raw map[string]any
		if details != nil && details.HasValues() && details.Get(&raw) == nil {
			f.env.SetHeartbeatDetails(raw)
		}
	}
}

// do runs an activity and decodes its result.
func do[T any](t *testing.T, f *fixture, activity, in any) T {
	t.Helper()
	var out T
	v, err := f.env.ExecuteActivity(activity, in)
	require.NoError(t, err)
	require.NoError(t, v.Get(&out))
	return out
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}
