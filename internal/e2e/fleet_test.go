package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/workflows"
)

// A fleet that a program lists is listed by the worker, when the rollout starts, and
// is in the history: the way back needs no store.
func TestFleetFromACommand(t *testing.T) {
	d := deploy(t, 12)
	script := filepath.Join(d.Dir, "list-hosts.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\ntest -z \"$TEMPORAL_ADDRESS\" || exit 65\nexec cat \"$1\"\n"), 0o700))
	listed := func(release, bake, file string) string {
		return d.listed(d.spec(release, bake, ""), "{command: ["+script+", "+filepath.Join(d.Dir, file)+"]}")
	}
	path := listed("2.0.0", "1h", "fleet.yaml")
	require.Contains(t, d.sluice(0, "validate", path).Stderr, "the worker lists it")
	require.Contains(t, d.sluice(0, "plan", path).Stdout, "12 targets in 2 stages")
	d.sluice(0, "start", path)
	s := d.until("the canary's bake", phase(workflows.PhaseBake, 0))
	require.Equal(t, 12, s.Targets)
	require.Contains(t, d.sluice(6, "start", path).Stderr, "already started: this very rollout")
	d.worker.Kill()
	require.NoError(t, os.RemoveAll(filepath.Join(d.Dir, "store")))
	d.bareSignal(workflows.SignalAbort, "")
	require.NoError(t, d.worker.Start())
	require.Equal(t, workflows.PhaseAborted, d.result().Outcome.Result)
	d.allOn("1.0.0")

	d.sluice(0, "start", "--wait", listed("2.0.1", "2s", "fleet.yaml"))
	d.allOn("2.0.1")

	ran := d.sluice(6, "start", "--wait", listed("2.0.2", "2s", "spec-2.0.0.yaml"))
	require.Contains(t, ran.Stdout, "list fleet: output of "+script)
	require.Contains(t, ran.Stdout, "nothing was changed")
	d.allOn("2.0.1")
}

// listed changes where a spec's fleet comes from.
func (d *deployment) listed(path, source string) string {
	d.t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(d.t, err)
	text := strings.Replace(string(data), "fleet: fleet.yaml", "fleet: "+source, 1)
	require.NotEqual(d.t, string(data), text)
	require.NoError(d.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
