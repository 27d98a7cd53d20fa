package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

// judged writes a spec whose only check compares error ratios, on a fleet that fails one request in
// a hundred.
func (d *deployment) judged(release, bake string) string {
	d.t.Helper()
	path := filepath.Join(d.Dir, "judged-"+release+".yaml")
	text := fmt.Sprintf(`unit: edge-proxy
release: %q
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 3, bake: %s}
  - {name: everyone, reach: 100%%, bake: 3s}
health:
  scrape: {baseline: 4s}
  every: 500ms
  checks:
    - name: errors
      bad: http_requests_total{code=~"5.."}
      total: http_requests_total
      against: control
`, release, bake)
	require.NoError(d.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// usual is one request in a hundred; sluice-sim's own usual is half of that.
const usual = "1.0.0-errors2x"

func deployJudged(t *testing.T) *deployment {
	return deploy(t, 12, "--release", usual, "--rps-per-target", "400")
}

// A release on which two of a hundred requests fail instead of one is taken back, long before the
// end of its bake.
func TestTwiceTheErrorsIsTakenBack(t *testing.T) {
	t.Parallel()
	d := deployJudged(t)
	d.sluice(0, "start", d.judged("2.0.0-errors4x", "100s"))
	s := d.result()
	require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, "canary", s.Outcome.Stage)
	require.Regexp(t, `errors FAIL: exposed \S+% \(\S+\) vs control \S+% \(\S+\): \S+ times the usual, 1 allowed`, s.Outcome.Why)
	d.allOn(usual)
}

// An incident that hits the changed targets and the others alike takes nothing back.
func TestSharedIncidentTakesNothingBack(t *testing.T) {
	t.Parallel()
	d := deployJudged(t)
	d.sluice(0, "start", d.judged("2.0.0-errors2x", "20s"))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	time.Sleep(3 * time.Second) // a bake that began well
	d.trouble(10)
	time.Sleep(8 * time.Second)
	d.trouble(1)
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	d.allOn("2.0.0-errors2x")
}

// A bake that may end early does, once it has shown enough.
func TestAdaptiveBake(t *testing.T) {
	t.Parallel()
	d := deployJudged(t)
	path := d.judged("2.0.0-errors2x", "{min: 2s, max: 1h, enough: 3x}")
	d.sluice(0, "start", edit(t, path, "bake: 3s", "bake: {min: 1s, max: 1h, enough: 3x}"))
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	for _, stage := range s.Stages {
		require.Contains(t, stage.Gates[0].Why, "of at most 1h: shown to be less than 3x worse")
	}
}

// trouble multiplies the rate of errors of every target by factor, whatever it runs.
func (d *deployment) trouble(factor float64) {
	d.t.Helper()
	fleet, err := d.State(d.t.Context())
	require.NoError(d.t, err)
	for _, target := range fleet.Targets {
		res, err := http.Post(d.SimURL+"/t/"+target.ID+"/control", "application/json", strings.NewReader(fmt.Sprintf(`{"errors": %g}`, factor)))
		require.NoError(d.t, err)
		require.NoError(d.t, res.Body.Close())
		require.Less(d.t, res.StatusCode, 300)
	}
}

// Requests above a bound of a histogram tell a slow release from one that is as fast as the others.
func TestSlowReleaseIsTakenBack(t *testing.T) {
	t.Parallel()
	d := deployJudged(t)
	shape := func(release string) string {
		path := d.judged(release, "12s")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		at := strings.Index(string(text), "    - name: errors")
		require.Positive(t, at)
		text = append(text[:at], "    - {name: shape, slow: {histogram: http_request_duration_seconds, over: 400ms}, against: control}\n"...)
		text = append(text, "  traffic: http_requests_total\n"...)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		return path
	}
	d.sluice(0, "start", shape("2.0.0-errors2x"))
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	d.sluice(0, "start", shape("2.1.0-errors2x-latency"))
	require.Len(t, d.started().Earlier, 1, "when the first one ran is known")
	s = d.result()
	require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, s.Outcome.Why)
	require.Regexp(t, `shape FAIL: exposed \S+% .* vs control \S+%`, s.Outcome.Why)
	d.allOn("2.0.0-errors2x")
}

// started is what the unit's newest rollout was started with.
func (d *deployment) started() (sub workflows.Submission) {
	d.t.Helper()
	it := d.client.GetWorkflowHistory(d.t.Context(), connect.WorkflowID(unit), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := it.Next()
	require.NoError(d.t, err)
	require.NoError(d.t, converter.GetDefaultDataConverter().FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &sub))
	return sub
}
