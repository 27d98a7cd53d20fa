package rehearsal

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

const text = `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 2, bake: 10m}
  - {name: early, reach: 25%, bake: 20m}
  - {name: half, reach: 50%, bake: 40m}
  - {name: all, reach: 100%, bake: 60m}
health:
  every: 10s
  prometheus: http://x
  checks:
    - name: errors
      bad: sum(increase(http_requests_total{code=~"5..",$exposed}[$window]))
      total: sum(increase(http_requests_total{$exposed}[$window]))
      against: control
      worse: 20%
    - name: slow
      slow: {histogram: http_request_duration_seconds, over: 250ms}
      against: control
    - name: cpu
      value: max(cpu{$exposed})
      max: 0.8
      tolerate: 2
`

func rehearse(t *testing.T, faults ...string) Result {
	t.Helper()
	c := catalog.New()
	doc, err := spec.Parse("rollout.yaml", []byte(text), c.Kinds())
	require.NoError(t, err)
	r := Rehearsal{Spec: doc.Spec, Before: "1", Limit: 8 * time.Hour, Model: simulate.Model{Seed: 1}}
	for i := range 60 {
		id := fmt.Sprintf("t%02d", i)
		r.Fleet.Targets = append(r.Fleet.Targets, fleet.Target{ID: id, Address: id + ":80"})
	}
	for _, f := range faults {
		fault, err := simulate.ParseFault(f)
		require.NoError(t, err)
		r.Model.Faults = append(r.Model.Faults, fault)
	}
	r.Store, err = store.Dir(t.TempDir())
	require.NoError(t, err)
	out, err := Run(r, c)
	require.NoError(t, err)
	return out
}

func TestRehearsal(t *testing.T) {
	for _, f := range []string{"brick", "errors 1x", "refuse", "source away at 20m for 10m","silent from 5m"} {
		began := time.Now()
		out := rehearse(t, f)
		out.Ledger.Curve = nil; out.State.Outcome.Back = nil
		fmt.Printf("%s: %s %s after %s (%s)\n   %+v\n  %+v\n", f, out.State.Phase, out.State.Why, out.Took, time.Since(began), out.State.Outcome, out.Ledger)
	}
}
