package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/internal/driver"
)

// A way back that is cancelled tells how far it has come, and by name and reason what is left.
func TestRevertThatIsCancelledTells(t *testing.T) {
	f := newFixture(t, 5)
	for id := range f.state {
		f.state[id] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
	}
	f.refuses["t001"], f.down["t003"] = true, 1<<30
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(600*time.Millisecond, cancel)
	in := RevertInput{Batch: f.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}, Deadline: time.Now().Add(time.Hour)}
	f.env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	_, err := f.env.ExecuteActivity(f.acts.Revert, in)
	c, ok := errors.AsType[*temporal.CanceledError](err)
	require.True(t, ok, "%v", err)
	var out Reverted
	require.NoError(t, c.Details(&out))
	require.Equal(t, 3, out.Reverted)
	require.Equal(t, []string{"t001", "t003"}, []string{out.Trouble[0].ID, out.Trouble[1].ID})

	f.env.SetWorkerOptions(worker.Options{BackgroundActivityContext: t.Context()})
	in.NameOnly = true
	orders := maps.Clone(f.applies)
	named := do[Reverted](t, f, f.acts.Revert, in)
	require.Equal(t, orders, f.applies, "nobody is told anything")
	require.Zero(t, named.Reverted)
	require.Len(t, named.Trouble, 5)
}

// What keeps a way back from beginning is retried until the rollback's deadline, and a few times in
// any case.
func TestRevertThatCannotBegin(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		giveUp  time.Time
		attempt int32
		final   bool
	}{
		{time.Time{}, 1000, false},
		{now.Add(time.Second), 1000, false},
		{now, lastAttempts - 1, false},
		{now, lastAttempts, true},
	} {
		err := RevertInput{GiveUp: tc.giveUp}.notBegun(errors.New("no such file"), now, tc.attempt)
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		require.Equal(t, tc.final, ok && app.NonRetryable(), "%+v", tc)
		require.ErrorContains(t, err, "no such file")
	}
}

// Whoever says that it is another target gets no order, neither forward nor back, is named, and is
// not taken for silent.
func TestAnotherTargetGetsNoOrder(t *testing.T) {
	f := newFixture(t, 3)
	f.words = fmt.Errorf("GET x: %w", driver.ErrOther)
	f.down["t001"] = 1 << 30
	seen := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence})
	require.Len(t, seen.Trouble, 1)
	require.False(t, seen.Trouble[0].Silent)
	require.ErrorContains(t, errors.New(seen.Trouble[0].Reason), "not that target")
	applied := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: Previous{Common: "1.0.0"}, Tolerate: 3})
	require.False(t, applied.Trouble[0].Silent)
	out := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}})
	require.Len(t, out.Trouble, 1)
	require.Zero(t, f.applies["t001"])
}

// A target that has refused an order of ours, and went back by itself to another release than it
// ran before, was changed by nobody else: it is ordered back.
func TestRevertOfATargetThatWentBackByItself(t *testing.T) {
	home := driver.State{Release: "0.9.0", Fence: fence, Alive: true, Refused: true}
	for name, c := range map[string]struct {
		change func(*driver.State)
		want   bool
	}{
		"it has refused our order":    {func(*driver.State) {}, true},
		"it has refused our way back": {func(s *driver.State) { s.Fence = fence + 1 }, true},
		"an earlier rollout's":        {func(s *driver.State) { s.Fence = fence - 1 }, false},
		"a later one's":               {func(s *driver.State) { s.Fence = fence + 2 }, false},
		"it runs what it was told to": {func(s *driver.State) { s.Refused = false }, false},
		"by hand, after our way back": {func(s *driver.State) { s.Refused, s.Fence = false, fence+1 }, false},
	} {
		f := newFixture(t, 2)
		for id := range f.state {
			s := home
			c.change(&s)
			f.state[id] = s
		}
		out := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}})
		if c.want {
			require.Equal(t, 2, out.Reverted, name)
			continue
		}
		require.Len(t, out.Trouble, 2, name)
		require.Contains(t, out.Trouble[0].Reason, "changed by somebody else", name)
	}
}

// A pass that waits for no deadline does not say that one is over.
func TestThePassBeforeTheDeadlineSaysSo(t *testing.T) {
	for words, deadline := range map[string]time.Time{
		"": {}, "not back by the rollback's deadline: ": time.Now().Add(-time.Minute),
	} {
		f := newFixture(t, 2)
		f.down["t001"] = 1000
		out := untilDone[Reverted](t, f, f.acts.Revert, RevertInput{
			Batch: f.all, Fence: fence + 1, Deadline: deadline, Previous: Previous{Common: "1.0.0"},
		})
		require.Len(t, out.Trouble, 1)
		require.Equal(t, words+"connection refused", out.Trouble[0].Reason)
	}
}
