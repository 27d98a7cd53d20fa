package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// sleeper promotes a release of another unit, on three files, which is watched on from then on.
func (d *deployment) sleeper(release string) {
	d.t.Helper()
	fleet := "targets:\n"
	for i := range 3 {
		fleet += fmt.Sprintf("  - {id: f%d, address: %q, labels: {file: %q}}\n", i, d.Address, filepath.Join(d.Dir, fmt.Sprintf("feature-%d", i)))
	}
	for name, text := range map[string]string{
		"sleepers.yaml": fleet,
		"observe":       "#!/bin/sh\ncat \"$1\" 2>/dev/null || echo\n",
		"apply":         "#!/bin/sh\nprintf '%s\\n' \"$2\" >\"$1\"\n",
		"sleeper.yaml": fmt.Sprintf(`unit: features
release: %s
fleet: sleepers.yaml
fallback: remove
guard: 1h
driver:
  exec: {observe: [%[2]s/observe, "{{label.file}}"], apply: [%[2]s/apply, "{{label.file}}", "{{release}}"]}
stages: [{name: all, reach: 100%%, bake: 2s}]
health: {without: [traffic], every: 500ms, checks: [{name: up, probe: {tcp: "{{address}}"}}]}
`, release, d.Dir),
	} {
		require.NoError(d.t, os.WriteFile(filepath.Join(d.Dir, name), []byte(text), 0o755))
	}
	d.sluice(0, "start", filepath.Join(d.Dir, "sleeper.yaml"), "--wait")
}

// Harm of a release that may have woken another one, which is watched on, takes both back; the
// outcome ranks them. The drill of a later release fails on its first target, before its bake.
func TestTriggerAndSleeperGoBack(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sleeper("v3")
	out := d.sluice(3, "start", d.spec("2.0.0-errors", "20s", "activates: [features]\nonRegression: both"), "--wait")
	require.Contains(t, out.Stdout, "suspects: ")
	require.Contains(t, out.Stdout, "features v3 (guarding, 3 targets")
	require.Contains(t, out.Stdout, "which was told to go back")
	d.allOn("1.0.0")
	var s rollout.State
	require.NoError(t, d.client.GetWorkflow(t.Context(), connect.WorkflowID("features"), "").Get(t.Context(), &s))
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
	require.Equal(t, 3, s.Outcome.Reverted)
	require.Contains(t, s.Aborted.Why, "edge-proxy 2.0.0-errors may have woken it")

	drill := filepath.Join(d.Dir, "drill")
	require.NoError(t, os.WriteFile(drill, []byte("#!/bin/sh\necho \"$1 panics on an empty quota\"\nexit 1\n"), 0o755))
	out = d.sluice(3, "start", d.spec("2.1.0", "20s", fmt.Sprintf("drill: {command: [%s, \"{{id}}\"]}", drill)), "--wait")
	require.Contains(t, out.Stdout, "the drill of canary failed on 3 of 3 targets: ")
	require.Contains(t, out.Stdout, "panics on an empty quota")
	d.allOn("1.0.0")
}
