package activities

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// gauge is a metrics page with one number, which must be at most 1.
type gauge struct {
	*fixture
	value atomic.Int64
	reads atomic.Int64
	// blank hides everything on the page.
	blank atomic.Bool
	// onRead is called at every read, if it is set.
	onRead func()
}

const pace = 100 * time.Millisecond

// newGauge is a fleet that runs the release, with a check on the gauge.
func newGauge(t *testing.T, tolerate int) *gauge {
	t.Helper()
	limit := spec.Number(1)
	return newPage(t, func(_, value int64) string { return fmt.Sprintf("load %d\n", value) }, spec.Health{
		Without: []string{spec.CheckTraffic},
		Checks:  []spec.Check{{Name: "load", Value: "load", Max: &limit, Tolerate: tolerate}},
	})
}

// newPage is a fleet of one target that runs the release. Its page is written anew at every read,
// of which it is told the number.
func newPage(t *testing.T, write func(read, value int64) string, h spec.Health) *gauge {
	t.Helper()
	g := &gauge{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page := write(g.reads.Add(1), g.value.Load())
		if g.onRead != nil {
			g.onRead()
		}
		if !g.blank.Load() {
			fmt.Fprint(w, page)
		}
	}))
	t.Cleanup(srv.Close)
	h.Source = spec.Choose("scrape", scrape.Scrape{URL: srv.URL, Sample: 5, Baseline: spec.Duration(pace)})
	h.Every, h.Window, h.StaleAfter = spec.Duration(pace), spec.Duration(time.Minute), spec.Duration(30*time.Second)
	g.fixture = newFixtureWith(t, 1, h)
	g.state["t000"] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
	return g
}

// input judges the only stage, applied a minute ago.
func (g *gauge) input() HealthInput {
	return HealthInput{StageRef: StageRef{Plan: g.all.Plan}, Previous: "1.0.0", Since: time.Now().Add(-time.Minute)}
}

func TestWatchReturnsAtHarm(t *testing.T) {
	g := newGauge(t, 2)
	g.value.Store(7)
	out := do[StageReport](t, g.fixture, g.acts.Watch, WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour)})
	require.Equal(t, health.Fail, out.Report.Verdict())
	require.EqualValues(t, 3, g.reads.Load(), "two breaches are tolerated")
}

func TestWatchEndsAtUntilAfterALastLook(t *testing.T) {
	g := newGauge(t, 0)
	until := time.Now().Add(3 * pace)
	out := do[StageReport](t, g.fixture, g.acts.Watch, WatchInput{HealthInput: g.input(), Until: until})
	require.True(t, out.Report.Clear(), out.Report)
	require.False(t, out.Report.At.Before(until))
}

func TestWatchEndsOncePassed(t *testing.T) {
	g := newGauge(t, 0)
	out := do[StageReport](t, g.fixture, g.acts.Watch, WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour), UntilPass: true})
	require.True(t, out.Report.Clear(), out.Report)
}

// A retried watch goes on from its heartbeat: two breaches were seen, so the next one is the third.
func TestWatchGoesOnFromItsHeartbeat(t *testing.T) {
	g := newGauge(t, 2)
	g.value.Store(7)
	g.env.SetHeartbeatDetails(StageReport{State: health.State{Streaks: map[string]int{"load": 2}}})
	out := do[StageReport](t, g.fixture, g.acts.Watch, WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour)})
	require.Equal(t, health.Fail, out.Report.Verdict())
	require.EqualValues(t, 1, g.reads.Load())
}

// A heartbeat begins with the checks in words: that is what the Web UI shows without a scroll.
func TestHeartbeatInWords(t *testing.T) {
	g := newGauge(t, 0)
	var beats []string
	g.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var raw json.RawMessage
		if err := details.Get(&raw); err == nil {
			beats = append(beats, string(raw))
		}
	})
	out := do[StageReport](t, g.fixture, g.acts.Watch, WatchInput{HealthInput: g.input(), Until: time.Now().Add(3 * pace)})
	require.NotEmpty(t, beats)
	require.True(t, strings.HasPrefix(beats[len(beats)-1], `{"checks":["load ok so far: 0, limit 1","alive ok so far: `), beats)
	require.Empty(t, out.Checks, "the history has the report")
}

// A worker that stops hands its watch on: an error, so that it is tried elsewhere.
func TestWatchLeavesAWorkerThatStops(t *testing.T) {
	g := newGauge(t, 0)
	stopped := make(chan struct{})
	close(stopped)
	g.env.SetWorkerStopChannel(stopped)
	_, err := g.env.ExecuteActivity(g.acts.Watch, WatchInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour)})
	require.ErrorContains(t, err, errWorkerStops.Error())
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.False(t, app.NonRetryable())
}

// A gate does not decide on a breach that is still tolerated: the next looks do.
func TestGateLooksAgainWhileABreachIsTolerated(t *testing.T) {
	for value, want := range map[int64]health.Verdict{7: health.Fail, 0: health.Pass} {
		g := newGauge(t, 2)
		g.value.Store(value)
		out := do[StageReport](t, g.fixture, g.acts.Gate, GateInput{HealthInput: g.input(), At: time.Now()})
		require.Equal(t, want, out.Report.Verdict())
		require.EqualValues(t, map[health.Verdict]int{health.Fail: 3, health.Pass: 1}[want], g.reads.Load())
	}
}

// A gate that runs long after it was asked for does not judge that moment.
func TestGateJudgesNow(t *testing.T) {
	g := newGauge(t, 0)
	out := do[StageReport](t, g.fixture, g.acts.Gate, GateInput{HealthInput: g.input(), At: time.Now().Add(-time.Hour)})
	require.Less(t, time.Since(out.Report.At), time.Minute)
}

// A gate that waits for a tolerated breach promotes when it ends.
func TestGateSeesABreachEnd(t *testing.T) {
	g := newGauge(t, 2)
	g.value.Store(7)
	g.onRead = func() { g.value.Store(0) }
	out := do[StageReport](t, g.fixture, g.acts.Gate, GateInput{HealthInput: g.input(), At: time.Now()})
	require.Equal(t, health.Pass, out.Report.Verdict())
	require.EqualValues(t, 2, g.reads.Load())
	require.Empty(t, out.State.Streaks)
}

// After a rollback the targets run what they ran before, and that is no harm.
func TestRecoverEndsAtUntil(t *testing.T) {
	g := newGauge(t, 0)
	g.state["t000"] = driver.State{Release: "1.0.0", Fence: fence + 1, Alive: true}
	g.value.Store(7)
	until := time.Now().Add(3 * pace)
	out := do[StageReport](t, g.fixture, g.acts.Recover, RecoverInput{HealthInput: g.input(), Until: until})
	require.False(t, out.Report.At.Before(until))
	require.Equal(t, health.Fail, out.Report.Verdict())
	require.Equal(t, []string{"load", "alive"}, checks(out.Report), "what runs again must work, too")
}

func TestRecoverReturnsAsSoonAsChecksPass(t *testing.T) {
	g := newGauge(t, 0)
	g.state["t000"] = driver.State{Release: "1.0.0", Fence: fence + 1, Alive: true}
	g.value.Store(7)
	g.onRead = func() {
		if g.reads.Load() == 2 {
			g.value.Store(0)
		}
	}
	out := do[StageReport](t, g.fixture, g.acts.Recover, RecoverInput{HealthInput: g.input(), Until: time.Now().Add(time.Hour)})
	require.Equal(t, health.Pass, out.Report.Verdict())
	require.EqualValues(t, 3, g.reads.Load())
}

func checks(r health.Report) []string {
	var out []string
	for _, res := range r.Results {
		out = append(out, res.Check)
	}
	return out
}

// Checks that cannot be set up are not tried again: nothing would change.
func TestChecksThatCannotBeSetUp(t *testing.T) {
	f := newFixture(t, 1) // its spec has no source
	stage := HealthInput{StageRef: StageRef{Plan: f.all.Plan}}
	for name, run := range map[string]struct{ activity, in any }{
		"baseline": {f.acts.Baseline, BaselineInput{StageRef: stage.StageRef}},
		"watch":    {f.acts.Watch, WatchInput{HealthInput: stage}},
		"gate":     {f.acts.Gate, GateInput{HealthInput: stage}},
		"recover":  {f.acts.Recover, RecoverInput{HealthInput: stage}},
	} {
		t.Run(name, func(t *testing.T) { requireInvalid(t, f, run.activity, run.in) })
	}
}

// Neither is a state that is not of the spec's checks.
func TestStateOfOtherChecks(t *testing.T) {
	g := newCounter(t)
	in := g.input()
	in.State.Source = json.RawMessage(`{"last": {"t000": [1]}}`)
	requireInvalid(t, g.fixture, g.acts.Gate, GateInput{HealthInput: in})
}

func requireInvalid(t *testing.T, f *fixture, activity, in any) {
	t.Helper()
	_, err := f.env.ExecuteActivity(activity, in)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.True(t, app.NonRetryable())
	require.Equal(t, ErrTypeInvalid, app.Type())
}
