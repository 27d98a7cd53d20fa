package e2e

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// Thousands of signals make a history so long that the rollout continues as new in the middle of
// its bake. It goes on where it was, and whoever watches does not notice.
func TestThousandsOfSignals(t *testing.T) {
	d := deploy(t, 12)
	d.sluice(0, "start", d.listed(d.spec("2.0.0", "1h", ""), "{command: [cat, "+d.FleetFile()+"]}"))
	before := d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	first := d.client.GetWorkflow(t.Context(), connect.WorkflowID(unit), "").GetRunID()
	d.flood(rollout.SignalResume, 6000)
	require.Eventually(t, func() bool {
		return d.client.GetWorkflow(t.Context(), connect.WorkflowID(unit), "").GetRunID() != first
	}, time.Minute, 200*time.Millisecond, "it never continued as new")
	now := d.until("the bake again", phase(rollout.PhaseBake, 0))
	require.Equal(t, before.Fence, now.Fence)
	require.Equal(t, before.StartedAt, now.StartedAt)
	require.WithinDuration(t, before.Stages[0].BakeEnds, now.Stages[0].BakeEnds, 2*time.Second, "the clock goes on")
	require.Len(t, now.Controls, 50)
	require.Contains(t, d.sluice(0, "list", "--unit", unit).Stdout, "canary")
	require.Contains(t, d.sluice(0, "status", "--run-id", first, unit).Stdout, "baking")

	d.worker.Kill() // what was carried is in the history, and what was listed in that of the first run
	require.NoError(t, os.RemoveAll(filepath.Join(d.Dir, "store")))
	require.NoError(t, d.worker.Start())
	d.sluice(0, "promote", unit, "--why", "test", "--by", "test")
	d.until("the last bake", phase(rollout.PhaseBake, 1))
	d.sluice(0, "abort", unit, "--why", "enough")
	s := d.result()
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
	require.Equal(t, 12, s.Outcome.Reverted)
	d.allOn("1.0.0")
	d.sluice(4, "watch", "--run-id", first, unit)
}

// flood sends a signal many times, several at once.
func (d *deployment) flood(name string, n int) {
	d.t.Helper()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range n / 16 {
				d.bareSignal(name, `{"by":"somebody"}`)
			}
		})
	}
	wg.Wait()
}
