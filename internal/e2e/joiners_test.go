package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/workflows"
)

// Targets that join a listed fleet during a rollout are brought to the release
// before it settles.
func TestTargetsThatJoinAreSwept(t *testing.T) {
	d := deploy(t, 12)
	data, err := os.ReadFile(d.FleetFile())
	require.NoError(t, err)
	all, err := fleet.Parse("fleet.yaml", data)
	require.NoError(t, err)
	now := filepath.Join(d.Dir, "now.yaml")
	show := func(n int) {
		data, err := yaml.Marshal(fleet.Fleet{Targets: all.Targets[:n]})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(now, data, 0o600))
	}
	show(9)
	d.sluice(0, "start", d.listed(d.spec("2.0.0", "2s", ""), "{command: [cat, "+now+"]}"))
	d.until("the last bake", phase(workflows.PhaseBake, 1))
	show(12)
	s := d.result()
	require.Equal(t, workflows.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, "sweep", s.Stages[2].Name)
	require.Equal(t, 3, s.Stages[2].Cohort)
	require.Equal(t, 12, s.Targets)
	d.allOn("2.0.0")
}
