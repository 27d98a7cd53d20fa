package activities

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// newCounter is a fleet whose page counts 1,000 more requests at every read, a tenth of them bad:
// all of what a judge knows lies between two reads.
func newCounter(t *testing.T, without ...string) *gauge {
	t.Helper()
	worse := spec.Number(0.2)
	return newPage(t, func(read, _ int64) string {
		return fmt.Sprintf("requests_total{code=\"200\"} %d\nrequests_total{code=\"500\"} %d\n", 900*read, 100*read)
	}, spec.Health{
		Traffic: "requests_total", Without: without,
		Checks: []spec.Check{{
			Name: "errors", Bad: `requests_total{code="500"}`, Total: "requests_total", Against: spec.AgainstControl,
			Worse: &worse, MinSamples: 100,
		}},
	})
}

// before is a baseline with a tenth of requests bad.
func before() health.Baseline {
	return health.Baseline{Past: map[string]health.Past{"errors": {Step: spec.Duration(pace), Looks: [][]float64{{100, 1000}}}}}
}

// cancelling registers a Watch that is cancelled when cancelled answers true, as the workflow does
// it.
func (g *gauge) cancelling(cancelled func() bool) string {
	const name = "CancelledWatch"
	g.env.RegisterActivityWithOptions(func(ctx context.Context, in WatchInput) (StageReport, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if cancelled() {
			cancel()
		}
		g.onRead = func() {
			if cancelled() {
				cancel()
			}
		}
		return g.acts.Watch(ctx, in)
	}, activity.RegisterOptions{Name: name})
	return name
}

// What a watch was given is not lost when it is cancelled before it could look.
func TestWatchCancelledBeforeItsFirstLook(t *testing.T) {
	g := newGauge(t, 2)
	in := WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour)}
	in.State = health.State{At: in.Since.UTC(), Streaks: map[string]int{"load": 2}}
	out := do[StageReport](t, g.fixture, g.cancelling(func() bool { return true }), in)
	require.Equal(t, in.State, out.State)
	require.Equal(t, health.NoData, out.Report.Verdict(), "nothing was seen")
	require.Zero(t, g.reads.Load())
}

// The same, when an attempt before it had seen more than it was given.
func TestRetriedWatchCancelledBeforeItsFirstLook(t *testing.T) {
	g := newGauge(t, 2)
	seen := StageReport{
		Report: health.Report{At: time.Now().UTC(), Results: []health.Result{{Check: "load", Verdict: health.Pass}}},
		State:  health.State{Streaks: map[string]int{"load": 1}},
	}
	g.env.SetHeartbeatDetails(seen)
	out := do[StageReport](t, g.fixture, g.cancelling(func() bool { return true }), WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour)})
	require.Equal(t, seen, out)
}

// Cancelled in the middle of a look, a watch answers the look before: half a look is no evidence.
func TestWatchCancelledInALook(t *testing.T) {
	g := newGauge(t, 9)
	g.value.Store(7)
	name := g.cancelling(func() bool { return g.reads.Load() >= 3 })
	out := do[StageReport](t, g.fixture, name, WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour)})
	require.Equal(t, map[string]int{"load": 2}, out.State.Streaks)
}

// What one worker's watch has read, the next one's goes on from, by way of the heartbeat: growth
// across the restart counts, and one look is enough.
func TestWatchMovesToAnotherWorker(t *testing.T) {
	first := newCounter(t, spec.CheckTraffic)
	in := WatchInput{HealthInput: first.input(), Until: time.Now().Add(time.Hour), UntilPass: true}
	in.Before = before()
	stopped := make(chan struct{})
	first.env.SetWorkerStopChannel(stopped)
	var once sync.Once
	var beat StageReport
	first.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		once.Do(func() {
			if err := details.Get(&beat); err != nil {
				t.Errorf("heartbeat: %v", err)
			}
			close(stopped)
		})
	})
	_, err := first.env.ExecuteActivity(first.acts.Watch, in)
	require.ErrorContains(t, err, errWorkerStops.Error())
	require.NotEmpty(t, beat.State.Source)

	for resumed, reads := range map[bool]int64{true: 1, false: 2} {
		second := newCounter(t, spec.CheckTraffic)
		second.reads.Store(10) // the page has counted on meanwhile
		in := in
		in.StageRef = second.input().StageRef
		if resumed {
			second.env.SetHeartbeatDetails(beat)
		}
		out := do[StageReport](t, second.fixture, second.acts.Watch, in)
		require.True(t, out.Report.Clear(), out.Report)
		require.Equal(t, 10+reads, second.reads.Load(), "resumed: %v", resumed)
	}
}

// A watch that comes to run only after its end still looks, once.
func TestWatchThatStartsLate(t *testing.T) {
	g := newGauge(t, 0)
	out := do[StageReport](t, g.fixture, g.acts.Watch, WatchInput{HealthInput: g.input(), Until: time.Now().Add(-time.Second)})
	require.True(t, out.Report.Clear(), out.Report)
	require.EqualValues(t, 1, g.reads.Load())
}

// A baseline fills what later looks compare with.
func TestBaseline(t *testing.T) {
	g := newCounter(t)
	b := do[health.Baseline](t, g.fixture, g.acts.Baseline, BaselineInput{StageRef: g.input().StageRef, At: time.Now()})
	require.Equal(t, [][]float64{{100, 1000}}, b.Past["errors"].Looks)
	require.InDelta(t, 1000, b.Exposed, 1e-9)
	require.GreaterOrEqual(t, b.At.Sub(b.From), pace)
	require.Empty(t, b.Traffic)

	in := WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour), UntilPass: true}
	in.Before = b
	in.Before.Targets = nil // every read counts as much, however little time has passed
	out := do[StageReport](t, g.fixture, g.acts.Watch, in)
	require.True(t, out.Report.Clear(), out.Report)
}

// What could not be measured is said in the baseline, and nothing passes on it.
func TestBaselineOfPagesWithoutTheSeries(t *testing.T) {
	g := newCounter(t)
	g.blank.Store(true)
	b := do[health.Baseline](t, g.fixture, g.acts.Baseline, BaselineInput{StageRef: g.input().StageRef, At: time.Now()})
	require.NotEmpty(t, b.Past["errors"].Missing)

	g.blank.Store(false)
	in := WatchInput{HealthInput: g.input(), Until: time.Now().Add(5 * pace), UntilPass: true}
	in.Before = b
	out := do[StageReport](t, g.fixture, g.acts.Watch, in)
	require.Equal(t, health.NoData, out.Report.Verdict(), out.Report)
}
