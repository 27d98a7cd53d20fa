package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// A release that was promoted and is bad goes back everywhere, with the source of health away, and
// stays back: no lack of a verdict puts it out again.
func TestUndo(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	spec := d.spec("2.0.0", "2s", "")
	d.sluice(0, "start", spec, "--wait")
	d.allOn("2.0.0")
	d.sluice(0, "undo", unit, "--why", "it loses orders", "--wait")
	d.allOn("1.0.0")
	s := d.result()
	require.Equal(t, rollout.PhaseUndone, s.Outcome.Result)
	require.Equal(t, 12, s.Outcome.Reverted)
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "undoes the rollout of 2.0.0")
	require.Contains(t, d.sluice(6, "undo", unit, "--why", "again", "--output", "json").Stdout, `"reason": "undone"`)
	require.Contains(t, d.sluice(0, "list", "--outcome", "undone").Stdout, unit)
	d.sluice(0, "start", spec, "--wait") // the unit is free
	d.allOn("2.0.0")
}

// The very same rollout again is followed by a start that waits, with its exit code.
func TestStartAgainFollows(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	spec := d.spec("2.0.0", "10s", "")
	d.sluice(0, "start", spec)
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	run := d.client.GetWorkflow(t.Context(), connect.WorkflowID(unit), "").GetRunID()
	require.Contains(t, d.sluice(6, "start", spec, "--output", "json").Stdout, `"reason": "same-rollout"`)
	d.sluice(7, "start", spec, "--wait", "--timeout", "2s")
	out := d.sluice(0, "start", spec, "--wait", "-o", "json").Stdout
	require.Contains(t, out, `"stage": "everyone"`)
	require.Contains(t, out, run, "it is the one that was there")
	require.NotRegexp(t, `T\d\d:\d\d:\d\d\.`, out)
	offered := d.sluice(0, "__complete", "watch", unit[:1]).Stdout + d.sluice(0, "__complete", "list", "--unit", unit[:1]).Stdout
	require.Equal(t, 2, strings.Count(offered, unit))
}

// A rollback that hangs ends at once when a person gives up, with what is left by name.
func TestGiveUpInARollback(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	d.Sim.Kill()
	d.sluice(0, "abort", unit, "--why", "enough")
	left := d.until("the way back", func(s rollout.State) bool { return s.Phase == rollout.PhaseRollback && len(s.NotReverted) > 0 })
	require.Equal(t, 3, left.NotBack)
	d.sluice(0, "give-up", unit, "--why", "it is scrapped")
	s := d.result()
	require.Equal(t, rollout.PhaseIncomplete, s.Outcome.Result)
	require.Len(t, s.Outcome.NotReverted, 3)
	require.NotContains(t, s.Outcome.NotReverted[0].ID, "revert targets")
}
