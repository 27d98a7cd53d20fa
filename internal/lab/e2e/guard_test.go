package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// A release with a guard is passed once its stages are, and is watched on: harm still takes it
// back; without harm the unit's next rollout ends the guard and begins.
func TestGuard(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	out := d.sluice(0, "start", d.spec("2.0.0", "2s", "guard: 1h"), "--wait")
	require.Contains(t, out.Stdout, "guarding: all stages have passed; watching on for 1h")
	require.Contains(t, d.sluice(0, "list", "--open").Stdout, "guarding")
	d.sluice(6, "promote", unit, "--why", "now", "--override")
	d.worker.Kill()
	w, err := d.Worker()
	require.NoError(t, err)
	d.worker = w

	out = d.sluice(0, "start", d.spec("2.1.0", "2s", "guard: 1h"), "--wait")
	require.Contains(t, out.Stderr, "ending the guard of 2.0.0")
	d.allOn("2.1.0")
	require.Contains(t, d.sluice(0, "list", "-o", "json").Stdout, "settled it")

	d.sluice(0, "abort", unit, "--why", "it loses orders")
	s := d.result()
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
	d.allOn("2.0.0")
}
