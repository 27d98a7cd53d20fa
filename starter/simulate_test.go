package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

const rehearsedSpec = `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 1, bake: 24h}
  - {name: all, reach: 100%, bake: 24h}
health:
  scrape: {}
  checks: [{name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 5%}]
`

// Numbers that no traffic has are refused, also those that are no numbers.
func TestSimulateRefusesNumbers(t *testing.T) {
	path := write(t, "rollout.yaml", rehearsedSpec)
	list := "targets: [{id: a, address: a:1}, {id: b, address: b:1}]\n"
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "fleet.yaml"), []byte(list), 0o600))
	for _, flag := range []string{"--rate=NaN", "--rate=Inf", "--rate=-1", "--burst=NaN", "--burst=1e12", "--wander=NaN", "--wander=11"} {
		got := sluice(t, "", "simulate", path, "--no-past", flag)
		require.Equal(t, 2, got.code, flag)
		require.Contains(t, got.errOut, "expected 0 to", flag)
	}
}

// Whoever has enough of a long rehearsal does not wait for its end.
func TestRehearsalIsLeft(t *testing.T) {
	c := catalog.New()
	doc, err := spec.Parse("rollout.yaml", []byte(rehearsedSpec), c.Kinds())
	require.NoError(t, err)
	kept, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := rehearsal.Rehearsal{
		Spec: doc.Spec, Fleet: fleet.Fleet{Targets: []fleet.Target{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}}},
		Before: "1", Limit: time.Minute, Store: kept,
	}
	_, err = rehearsed(ctx, r, c)
	require.ErrorIs(t, err, context.Canceled)
	out, err := rehearsed(t.Context(), r, c)
	require.NoError(t, err)
	require.Equal(t, "2", out.State.Release)
}

// A fault keeps its commas, and what goes back is over at the end.
func TestFaultWithTwoLabels(t *testing.T) {
	path := write(t, "rollout.yaml", strings.ReplaceAll(rehearsedSpec, "24h", "5m"))
	list := "targets: [{id: a, address: a:1, labels: {r: eu, k: x}}, {id: b, address: b:1, labels: {r: eu, k: x}}]\n"
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "fleet.yaml"), []byte(list), 0o600))
	got := sluice(t, "", "simulate", path, "--no-past", "--fault", "crash from 1m on r=eu,k=x")
	require.Zero(t, got.code, got.errOut)
	require.Contains(t, got.out, "rolled-back")
	require.NotRegexp(t, `undone +not`, got.out)
}
