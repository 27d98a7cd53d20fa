package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

const simulatedSpec = `unit: edge-proxy
release: %q
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 3, bake: 20s}
  - {name: everyone, reach: 100%%, bake: 5s}
health:
  scrape: {baseline: 5s}
  every: 1s
  checks:
    - {name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, against: control}
    - {name: slow, slow: {histogram: http_request_duration_seconds, over: 200ms}, against: control, worse: 100%%}
`

// A rollout that is rehearsed ends as one through a Temporal server to simulated targets that fail
// alike: with the same result, at the same stage, by the same check.
func TestSimulatedAsReal(t *testing.T) {
	t.Parallel()
	const rate = 200
	d := deploy(t, 12, "--release", "1.0.0", "--rps-per-target", fmt.Sprint(rate))
	for _, same := range []struct{ release, fault string }{
		{"2.0.0", ""},
		{"2.0.1-errors", "errors 30%"},
		{"2.0.2-latency", "latency 10x"},
		{"2.0.3-notraffic", "no traffic"},
		{"2.0.4-crash10s", "crash from 10s"},
	} {
		text := fmt.Sprintf(simulatedSpec, same.release)
		path := filepath.Join(d.Dir, "simulated-"+same.release+".yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		d.sluice(0, "start", path)
		real := d.result().Outcome
		model := rehearsed(t, d, text, simulate.Load{Rate: rate, Errors: 0.005}, same.fault)
		require.Equal(t, real.Result, model.Result, "%s: really %s; rehearsed %s", same.release, real.Why, model.Why)
		require.Equal(t, real.Stage, model.Stage, same.release)
		require.Equal(t, real.Condemned, model.Condemned, "%s: really %s; rehearsed %s", same.release, real.Why, model.Why)
	}
}

// rehearsed is how a spec ends in skipped time, on the deployment's fleet.
func rehearsed(t *testing.T, d *deployment, text string, l simulate.Load, fault string) rollout.Outcome {
	t.Helper()
	c := catalog.New()
	doc, err := spec.Parse("spec.yaml", []byte(text), c.Kinds())
	require.NoError(t, err)
	f := d.inventory()
	m := simulate.Model{Seed: 1, Loads: []simulate.Load{l}, Order: 100 * time.Millisecond}
	if fault != "" {
		parsed, err := simulate.ParseFault(fault)
		require.NoError(t, err)
		m.Faults = []simulate.Fault{parsed}
	}
	s, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	out, err := rehearsal.Run(rehearsal.Rehearsal{Spec: doc.Spec, Fleet: f, Model: m, Before: "1.0.0", Limit: time.Hour, Store: s}, c)
	require.NoError(t, err)
	require.NotNil(t, out.State.Outcome, out.State.Why)
	return *out.State.Outcome
}
