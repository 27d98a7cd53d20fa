package activities

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// listing makes a fixture's fleet one that the worker lists, by a fake.
func (f *fixture) listing(t *testing.T, ids ...string) *fakeLister {
	t.Helper()
	fake := &fakeLister{}
	fake.is(ids...)
	f.acts.lister = fake.list
	f.input.Spec.Fleet = spec.FleetSource{Command: []string{"./list.sh"}, Timeout: spec.Duration(time.Second)}
	f.input.FleetDigest, f.input.FleetData = "", nil
	return fake
}

type fakeLister struct {
	fleet fleet.Fleet
	err   error
	asked int
}

func (l *fakeLister) is(ids ...string) {
	l.fleet = fleet.Fleet{}
	for _, id := range ids {
		l.fleet.Targets = append(l.fleet.Targets, fleet.Target{ID: id, Address: id + ":80"})
	}
}

func (l *fakeLister) list(context.Context, spec.FleetSource) (fleet.Fleet, error) {
	l.asked++
	return l.fleet, l.err
}

func TestPlanListsTheFleet(t *testing.T) {
	f := newFixture(t, 3)
	fake := f.listing(t, "a", "b", "c", "d")
	out := do[Planned](t, f, f.acts.Plan, f.input)
	require.Equal(t, 4, out.Targets)
	snapshot, err := f.acts.store.Get(t.Context(), out.FleetDigest)
	require.NoError(t, err)
	require.Equal(t, snapshot, out.FleetData)
	got, err := fleet.Decode(out.FleetData)
	require.NoError(t, err)
	require.Equal(t, fake.fleet, got)
	p, err := f.acts.load(t.Context(), out.Digest)
	require.NoError(t, err)
	require.Equal(t, f.input.Spec.Fleet, p.Spec.Fleet)
}

// A fleet that came with the submission is not listed, nor is it in the answer.
func TestPlanKeepsTheFleetThatItGot(t *testing.T) {
	f := newFixture(t, 3)
	given := f.input
	fake := f.listing(t, "a")
	given.Spec.Fleet = f.input.Spec.Fleet
	out := do[Planned](t, f, f.acts.Plan, given)
	require.Equal(t, 3, out.Targets)
	require.Zero(t, fake.asked)
	require.Empty(t, out.FleetDigest)
	require.Nil(t, out.FleetData)
}

// A large snapshot is in the store alone: an answer is limited.
func TestPlanOfALargeListedFleet(t *testing.T) {
	f := newFixture(t, 3)
	fake := f.listing(t)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 40_000 {
		var label strings.Builder
		for range 4 { // does not pack well
			fmt.Fprintf(&label, "%016x", random.Uint64())
		}
		fake.fleet.Targets = append(fake.fleet.Targets, fleet.Target{
			ID: fmt.Sprintf("t%06d", i), Address: "10.0.0.1:80", Labels: map[string]string{"noise": label.String()},
		})
	}
	out := do[Planned](t, f, f.acts.Plan, f.input)
	require.Empty(t, out.FleetData)
	kept, err := f.acts.store.Get(t.Context(), out.FleetDigest)
	require.NoError(t, err)
	require.Greater(t, len(kept), maxPinned)
}

// What no retry can mend ends at once; other trouble is retried.
func TestListingThatFails(t *testing.T) {
	f := newFixture(t, 3)
	fake := f.listing(t)
	for name, tc := range map[string]struct {
		err   error
		final bool
	}{
		"transport": {errors.New("connection refused"), false},
		"no fleet":  {fmt.Errorf("list fleet: %w", inventory.ErrFinal), true},
	} {
		fake.err = tc.err
		_, err := f.env.ExecuteActivity(f.acts.Plan, f.input)
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		require.True(t, ok, name)
		require.Equal(t, tc.final, app.NonRetryable(), name)
		require.Equal(t, tc.final, app.Type() == ErrTypeInvalid, name)
	}
	for attempt, final := range map[int32]bool{1: false, listAttempts - 1: false, listAttempts: true, listAttempts + 1: true} {
		err := listError(errors.New("connection refused"), attempt)
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		require.Equal(t, final, ok && app.NonRetryable(), "%d", attempt)
		require.ErrorContains(t, err, "connection refused")
	}
}

func TestRelist(t *testing.T) {
	f := newFixture(t, 3)
	fromFile := f.all.Plan
	fake := f.listing(t, "a", "b", "c")
	out := do[Planned](t, f, f.acts.Plan, f.input)

	require.Empty(t, do[Relisted](t, f, f.acts.Relist, RelistInput{Plan: out.Digest}))
	fake.is("a", "b2", "d", "e")
	fake.fleet.Targets[0].Address = "elsewhere:80"
	require.Equal(t, Relisted{
		Joined: []fleet.Target{{ID: "b2", Address: "b2:80"}, {ID: "e", Address: "e:80"}},
		Moved:  []fleet.Target{{ID: "a", Address: "elsewhere:80"}}, Left: []string{"b", "c", "gone"},
	}, do[Relisted](t, f, f.acts.Relist, RelistInput{Plan: out.Digest, Known: []string{"d", "gone"}}))

	fake.err = fmt.Errorf("list fleet: %w", inventory.ErrFinal)
	_, err := f.env.ExecuteActivity(f.acts.Relist, RelistInput{Plan: out.Digest})
	require.Error(t, err)

	asked := fake.asked
	require.Zero(t, do[Relisted](t, f, f.acts.Relist, RelistInput{Plan: fromFile}))
	require.Equal(t, asked, fake.asked)
}

// An answer is bounded by the number of targets and by what they take.
func TestRelistIsBounded(t *testing.T) {
	var fake fakeLister
	var names, gone []string
	var p plan.Plan
	for i := range maxRelisted + 7 {
		names, gone = append(names, fmt.Sprintf("n%05d", i)), append(gone, fmt.Sprintf("g%05d", i))
		p.Order = append(p.Order, fleet.Target{ID: gone[i]})
	}
	fake.is(names...)
	out, err := changed(p, RelistInput{}, fake.fleet)
	require.NoError(t, err)
	require.Equal(t, names[:maxRelisted], fleet.IDs(out.Joined))
	require.Equal(t, gone[:maxRelisted], out.Left)

	for i := range fake.fleet.Targets {
		fake.fleet.Targets[i].Labels = map[string]string{"much": strings.Repeat("x", 2000)}
	}
	fake.fleet.Targets = slices.Clone(fake.fleet.Targets[:1000])
	fake.fleet.Targets[999].Labels = nil // would fit, and comes after what does not
	out, err = changed(p, RelistInput{}, fake.fleet)
	require.NoError(t, err)
	require.Equal(t, names[:len(out.Joined)], fleet.IDs(out.Joined))
	require.InDelta(t, maxRelistedBytes/2050, len(out.Joined), 20)
}

// A joiner that is left out still is told again, where it is now, and is missed when it has left.
func TestRelistTellsPendingJoinersAgain(t *testing.T) {
	p := plan.Plan{Order: []fleet.Target{{ID: "a", Address: "a:80"}}}
	now := fleet.Fleet{Targets: []fleet.Target{{ID: "a", Address: "a:80"}, {ID: "in", Address: "in:80"}, {ID: "out", Address: "elsewhere:80"}}}
	out, err := changed(p, RelistInput{Known: []string{"in"}, Pending: []string{"gone", "out"}}, now)
	require.NoError(t, err)
	require.Equal(t, []fleet.Target{{ID: "out", Address: "elsewhere:80"}}, out.Joined)
	require.Equal(t, []string{"gone"}, out.Left)
}

// A listing that fails for a worker's own trouble goes on elsewhere; where there is no other
// worker, it is tried again here.
func TestListingMovesToAnotherWorker(t *testing.T) {
	for _, trouble := range []error{syscall.EMFILE, &net.DNSError{Err: "no such server", IsTimeout: true}} {
		for _, names := range [][]string{{"a"}, {"a", "b"}} {
			c := newCrew(t, 3, 0, names...)
			fake := c.listing(t, "a", "b")
			out := do[Planned](t, c.fixture, c.acts.Plan, c.input)
			c.details = handed{}
			fake.err = fmt.Errorf("list fleet: %w", trouble)
			_, err := attempt[Relisted](t, c, 0, c.acts.Relist, RelistInput{Plan: out.Digest})
			require.ErrorContains(t, err, trouble.Error())
			require.Equal(t, len(names) > 1, elsewhere(err))
			if len(names) == 1 {
				continue
			}
			asked := fake.asked
			_, err = attempt[Relisted](t, c, 0, c.acts.Relist, RelistInput{Plan: out.Digest})
			require.ErrorContains(t, err, "another one goes on", "the same worker steps aside")
			require.Equal(t, asked, fake.asked)
			fake.err = nil
			_, err = attempt[Relisted](t, c, 1, c.acts.Relist, RelistInput{Plan: out.Digest})
			require.NoError(t, err)
		}
	}
}

// A place that is listed twice is one target: nothing is counted, or changed, twice.
func TestAListedPlaceCountsOnce(t *testing.T) {
	f := newFixture(t, 3)
	fake := f.listing(t, "a", "b", "c")
	f.input.Spec.Driver = spec.Driver{Choice: spec.Choose("http", map[string]string{"url": "http://{{address}}/{{unit}}"})}
	out := do[Planned](t, f, f.acts.Plan, f.input)

	fake.is("a", "b", "e", "f", "g")
	for i, address := range map[int]string{0: "b:80", 2: "B:80", 3: "c:80", 4: "c:80"} { // c itself has left: its address is free
		fake.fleet.Targets[i].Address = address
	}
	now := do[Relisted](t, f, f.acts.Relist, RelistInput{Plan: out.Digest})
	require.Equal(t, []string{"e", "f", "g"}, fleet.IDs(now.Joined))
	require.Equal(t, map[string]string{"a": "b", "e": "b", "g": "f"}, now.Twice)

	for _, id := range []string{"a", "b", "e", "f", "g"} {
		f.state[id] = driver.State{Release: "1.0.0", Fence: 5, Alive: true}
	}
	late := do[Stragglers](t, f, f.acts.FindStragglers, StragglersInput{
		Plan: out.Digest, Joined: slices.Concat(now.Joined, now.Moved), Twice: now.Twice, Fence: fence, Parallel: 5,
	})
	require.Equal(t, []string{"f"}, fleet.IDs(late.Ready))
	require.Contains(t, late.Still, Trouble{ID: "e", Reason: "cannot be brought in: it is one place with b, which the fleet lists, too"})
}
