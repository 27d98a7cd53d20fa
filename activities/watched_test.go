package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
)

// A watch says how much it has watched, beside what was watched before.
func TestWatchCountsWhatItWatched(t *testing.T) {
	g := newGauge(t, 0)
	now := time.Now()
	in := WatchInput{HealthInput: g.input(), Until: now.Add(5 * pace)}
	in.Watched = health.Watched{Until: now, For: time.Minute, Most: time.Hour}
	out := do[StageReport](t, g.fixture, g.acts.Watch, in)
	require.InDelta(t, 5*pace, out.Watched.For-time.Minute, float64(2*pace))
	require.False(t, out.Watched.Until.Before(in.Until))
}

// The time in which no worker watched is not counted, whatever the next one sees first: it looks at
// once, and goes on from the heartbeat of the one before.
func TestWatchAfterADeadWorker(t *testing.T) {
	g := newGauge(t, 0)
	now := time.Now()
	in := WatchInput{HealthInput: g.input(), Until: now.Add(4 * pace)}
	in.Watched = health.Watched{Until: now.Add(-time.Minute), Most: time.Hour}
	beat := StageReport{Watched: health.Watched{Until: now.Add(-30 * time.Second), For: 20 * time.Second, Most: time.Hour}}
	g.env.SetHeartbeatDetails(beat)
	out := do[StageReport](t, g.fixture, g.acts.Watch, in)
	require.GreaterOrEqual(t, out.Watched.For, 20*time.Second)
	require.LessOrEqual(t, out.Watched.For, 20*time.Second+5*pace)
}

// Looks that get no answer do not count.
func TestBlindWatchCountsNothing(t *testing.T) {
	g := newGauge(t, 0)
	g.blank.Store(true)
	in := WatchInput{HealthInput: g.input(), Until: time.Now().Add(5 * pace)}
	in.Watched = health.Watched{Until: time.Now(), Most: time.Hour}
	out := do[StageReport](t, g.fixture, g.acts.Watch, in)
	require.Zero(t, out.Watched.For)
	require.Greater(t, out.Watched.Unseen, 3*pace)
}

// No passing look ends a watch before enough of the stage was watched.
func TestWatchEndsOnceWatched(t *testing.T) {
	g := newGauge(t, 0)
	in := WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour), UntilPass: true, Bake: 8 * pace}
	in.Watched = health.Watched{Until: time.Now(), Most: in.Bake}
	out := do[StageReport](t, g.fixture, g.acts.Watch, in)
	require.GreaterOrEqual(t, out.Watched.For, in.Bake*9/10)
	require.GreaterOrEqual(t, g.reads.Load(), int64(4)) // a look may be late
}

// Whatever this machine's clock says, times in inputs are the server's, and looks are dated by it.
func TestActivitiesByTheServersClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		g := newGauge(t, 0)
		server := time.Now().Add(off)
		g.acts.Clock.Heard(server)
		in := WatchInput{HealthInput: g.input(), Until: server.Add(5 * pace)}
		in.Since = server.Add(-time.Minute)
		in.Watched = health.Watched{Until: server, Most: time.Hour}
		began := time.Now()
		out := do[StageReport](t, g.fixture, g.acts.Watch, in)
		require.Less(t, time.Since(began), 10*time.Second)
		require.True(t, out.Report.Clear(), out.Report)
		require.WithinDuration(t, server, out.Report.At, 10*time.Second)
		require.Positive(t, out.Watched.For)
		require.Less(t, out.Watched.For, 10*time.Second) // and no minutes

		gate := do[StageReport](t, g.fixture, g.acts.Gate, GateInput{HealthInput: in.HealthInput, At: server.Add(-time.Hour)})
		require.Equal(t, health.Pass, gate.Report.Verdict(), gate.Report)
		require.WithinDuration(t, server, gate.Report.At, 10*time.Second)

		g.value.Store(7)
		rec := do[StageReport](t, g.fixture, g.acts.Recover, RecoverInput{HealthInput: in.HealthInput, Until: server.Add(-time.Second)})
		require.Equal(t, health.Fail, rec.Report.Verdict())
	}
}

// Nor does a wrong clock make the way back give up before its deadline, or go on after it.
func TestRevertByTheServersClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		f := newFixture(t, 1)
		f.down["t000"] = 2
		server := time.Now().Add(off)
		f.acts.Clock.Heard(server)
		in := RevertInput{Batch: f.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}, Deadline: server.Add(time.Minute)}
		require.Equal(t, 1, untilDone[Reverted](t, f, f.acts.Revert, in).Reverted)

		f.down["t000"] = 1 << 30
		in.Deadline = server.Add(time.Second)
		began := time.Now()
		require.Len(t, untilDone[Reverted](t, f, f.acts.Revert, in).Trouble, 1)
		require.Less(t, time.Since(began), 30*time.Second)
	}
}
