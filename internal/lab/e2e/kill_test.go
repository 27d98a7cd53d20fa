package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// Killing the worker or the server changes when a rollout ends, and not how. The targets themselves
// say what they run.
func TestKilledInMidRollout(t *testing.T) {
	t.Parallel()
	moments := []struct {
		name string
		when func(rollout.State) bool
	}{
		{"apply", func(s rollout.State) bool { return s.Phase == rollout.PhaseApply && s.Stage == 1 }},
		{"bake", phase(rollout.PhaseBake, 1)},
	}
	for _, m := range moments {
		for _, victim := range []string{"worker", "server"} {
			t.Run(victim+" in "+m.name, func(t *testing.T) {
				d := deploy(t, 300)
				const release = "2.0.0-slow100ms" // an apply lasts long enough to be hit
				d.sluice(0, "start", d.spec(release, "3s", "apply: {batch: 50, parallel: 8}"))
				d.until(m.name, m.when)
				d.kill(victim)
				s := d.result()
				require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
				d.allOn(release)
			})
		}
	}
	for _, victim := range []string{"worker", "server"} {
		t.Run(victim+" in rollback", func(t *testing.T) {
			d := deploy(t, 300)
			d.sluice(0, "start", d.spec("2.0.0", "1h", "rollback: {parallel: 4}"))
			d.until("the canary's bake", phase(rollout.PhaseBake, 0))
			d.sluice(0, "promote", unit, "--why", "test", "--by", "test")
			d.until("the last bake", phase(rollout.PhaseBake, 1))
			d.bareSignal(rollout.SignalAbort, "")
			d.kill(victim)
			s := d.result()
			require.Equal(t, rollout.PhaseAborted, s.Outcome.Result, s.Outcome.Why)
			require.Equal(t, 300, s.Outcome.Reverted)
			d.allOn("1.0.0")
		})
	}
}

// kill ends the worker or the server with SIGKILL and starts it again.
func (d *deployment) kill(victim string) {
	d.t.Helper()
	process, again := d.worker, d.worker.Start
	if victim == "server" {
		process, again = d.Temporal, func() error { return d.RestartTemporal(d.t.Context()) }
	}
	require.True(d.t, process.Running())
	process.Kill()
	time.Sleep(500 * time.Millisecond) // let what is under way run into the gap
	require.NoError(d.t, again())
}

// allOn fails unless every target says that it runs the release.
func (d *deployment) allOn(release string) {
	d.t.Helper()
	wrong, err := d.LeftWrong(d.t.Context(), release)
	require.NoError(d.t, err)
	require.Zero(d.t, wrong)
}

// The way back needs Temporal, a worker and the targets: the store may be gone.
func TestRollbackWithoutTheStore(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	d.worker.Kill()
	require.NoError(t, os.RemoveAll(filepath.Join(d.Dir, "store")))
	d.bareSignal(rollout.SignalAbort, "")
	require.NoError(t, d.worker.Start())
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	d.allOn("1.0.0")
}

// A worker whose store cannot be made, be it that the folder is read-only, starts, takes a release
// out, says what is wrong, and takes it back.
func TestRolloutWithoutAnyStore(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.worker.Kill()
	_, err := d.Worker("--store", "/proc/nowhere")
	require.NoError(t, err)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the store's trouble", func(s rollout.State) bool { return strings.Contains(s.Why, "/proc/nowhere") })
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	d.bareSignal(rollout.SignalAbort, "")
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	d.allOn("1.0.0")
}

// One of two workers has no descriptors left for targets. Releases go out, are judged and taken
// back by the other one.
func TestOneOfTwoWorkersIsCutOff(t *testing.T) {
	t.Parallel()
	d := deploy(t, 40)
	d.worker.Kill()
	cut, err := d.NewProcess("worker-cut", "/bin/sh", "-c", `ulimit -n 14; exec "$@"`, "sh",
		filepath.Join(programs(t).Dir, "sluice-worker"), "--address", d.Address, "--listen", "", "--store", filepath.Join(d.Dir, "store"))
	require.NoError(t, err)
	require.NoError(t, cut.Start())
	t.Cleanup(cut.Kill)
	time.Sleep(3 * time.Second) // it polls before the other one does
	require.True(t, cut.Running())
	require.NoError(t, d.worker.Start())
	spec := func(release, bake string) string {
		path := d.spec(release, bake, "")
		return edit(t, path, "every: 500ms", "every: 2s")
	}
	d.sluice(0, "start", "--wait", spec("2.0.0", "10s"))
	d.allOn("2.0.0")
	d.sluice(3, "start", "--wait", spec("2.0.1-crash", "10s"))
	d.allOn("2.0.0")
	d.sluice(0, "start", spec("2.0.2", "1h"))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	began := time.Now()
	d.bareSignal(rollout.SignalAbort, "")
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	require.Less(t, time.Since(began), 20*time.Second)
	d.allOn("2.0.0")
}
