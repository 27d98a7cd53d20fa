package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
)

// Targets that join a listed fleet during a rollout are brought to the release before it settles.
func TestTargetsThatJoinAreSwept(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	all := d.inventory()
	now := filepath.Join(d.Dir, "now.yaml")
	show := func(n int) {
		data, err := yaml.Marshal(fleet.Fleet{Targets: all.Targets[:n]})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(now, data, 0o600))
	}
	show(9)
	d.sluice(0, "start", d.listed(d.spec("2.0.0", "2s", ""), "{command: [cat, "+now+"]}"))
	d.until("the last bake", phase(rollout.PhaseBake, 1))
	show(12)
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, "sweep", s.Stages[2].Name)
	require.Equal(t, 3, s.Stages[2].Cohort)
	require.Equal(t, 12, s.Targets)
	d.allOn("2.0.0")
}

// Joiners that do not answer, or lack a label that a probe asks for, are named with the reason,
// counted once, and are no reason to take anything back.
func TestJoinersThatCannotBeBroughtInAreNamed(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	all := d.inventory()
	for i := range all.Targets {
		where, _, _ := strings.Cut(all.Targets[i].Address, "/")
		_, port, _ := strings.Cut(where, ":")
		all.Targets[i].Labels = map[string]string{"port": port}
	}
	all.Targets[10].Labels = nil
	gone := all.Targets[11]
	gone.Address, gone.Labels = "127.0.0.1:1", map[string]string{"port": "1"}
	all.Targets[11] = gone
	now := filepath.Join(d.Dir, "now.yaml")
	show := func(n int) {
		data, err := yaml.Marshal(fleet.Fleet{Targets: all.Targets[:n]})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(now, data, 0o600))
	}
	show(9)
	path := d.listed(d.spec("2.0.0", "2s", ""), "{command: [cat, "+now+"]}")
	d.sluice(0, "start", edit(t, path, "", "    - {name: answers, probe: {tcp: '127.0.0.1:{{label.port}}'}}\n"))
	d.until("the last bake", phase(rollout.PhaseBake, 1))
	show(12)
	d.until("the sweep", phase(rollout.PhaseBake, 2))
	require.NoError(t, os.WriteFile(now, []byte("no: fleet\n"), 0o600)) // it cannot be listed any more
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 12, s.Targets)
	require.Equal(t, "10 of 12 targets run 2.0.0, 2 left out", s.Outcome.Why)
	require.Len(t, s.Outcome.Unreached, 2)
	require.Equal(t, all.Targets[10].ID, s.Outcome.Unreached[0].ID)
	require.Contains(t, s.Outcome.Unreached[0].Reason, `has no label "port"`)
	require.Contains(t, s.Outcome.Unreached[1].Reason, "connection refused")
	told := d.sluice(0, "watch", unit)
	require.Contains(t, told.Stdout, "stage sweep passed: 10 of 12 targets reached (83%), 2 left out")
}

// A fleet's command that fails is told while it is retried.
func TestAFailingFleetCommandIsTold(t *testing.T) {
	t.Parallel()
	d := deploy(t, 5)
	now := filepath.Join(d.Dir, "now.yaml")
	d.sluice(0, "start", d.listed(d.spec("2.0.0", "1s", ""), "{command: [cat, "+now+"]}"))
	require.Eventually(t, func() bool {
		seen := d.sluice(0, "status", unit)
		return strings.Contains(seen.Stdout, "the activity Plan has failed ") && strings.Contains(seen.Stdout, "No such file or directory")
	}, time.Minute, 200*time.Millisecond)
	data, err := os.ReadFile(d.FleetFile())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(now, data, 0o600))
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
}
