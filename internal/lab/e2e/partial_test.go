package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// A target that does not answer is left out where that is tolerated, named, and brought in by a
// sweep when it is back; another stays away and is named.
func TestPartialFleet(t *testing.T) {
	t.Parallel()
	d := deploy(t, 20)
	path := d.spec("2.0.0", "3s", "")
	tolerate(t, path)
	lost := d.lastTargets(path)[:2]
	for _, id := range lost {
		d.control(id, `{"unreachable": true}`)
	}
	d.sluice(0, "start", path)
	d.until("the last bake", phase(rollout.PhaseBake, 1))
	d.control(lost[0], `{"unreachable": false}`)
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Len(t, s.Outcome.Unreached, 1)
	require.Equal(t, lost[1], s.Outcome.Unreached[0].ID)
	require.Equal(t, "sweep", s.Stages[2].Name)
	wrong, err := d.LeftWrong(t.Context(), "2.0.0")
	require.NoError(t, err)
	require.Equal(t, 1, wrong)
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "left out: "+lost[1])
}

// A rollback that leaves a target behind exits with 5 and locks the unit, until the target is back.
func TestIncompleteRollbackIsRetried(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "1h", "rollback: {deadline: 2s}"))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	st, err := d.State(t.Context())
	require.NoError(t, err)
	lost := ""
	for _, target := range st.Targets {
		if target.Release == "2.0.0" {
			lost = target.ID
		}
	}
	d.control(lost, `{"unreachable": true}`)
	d.sluice(6, "retry-rollback", unit)
	d.sluice(0, "abort", unit, "--why", "a test")
	ran := d.sluice(5, "watch", unit)
	require.Contains(t, ran.Stdout, lost)
	require.Contains(t, d.sluice(6, "start", d.spec("2.0.1", "1h", "")).Stderr, "sluice retry-rollback "+unit)
	d.sluice(6, "abort", unit)
	d.control(lost, `{"unreachable": false}`)
	d.sluice(0, "retry-rollback", unit, "--why", "it is back")
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	d.sluice(4, "watch", unit)
	d.allOn("1.0.0")
}

// A fleet that is unhealthy before the change is refused, unless somebody says why not.
func TestUnhealthyFleetIsRefused(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	path := d.spec("2.0.0", "1s", "")
	d.control(d.lastTargets(path)[0], `{"release": "0.9.0-crash"}`)
	ran := d.sluice(6, "start", "--wait", path)
	require.Contains(t, ran.Stdout, "the fleet is not healthy before the change")
	orders, err := d.Orders(t.Context())
	require.NoError(t, err)
	for _, o := range orders {
		require.True(t, o.Drift, "nothing was ordered")
	}
	d.sluice(2, "start", "--override", path)
	d.sluice(0, "start", "--wait", "--override", "--why", "2.0.0 mends the crash", path)
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "2.0.0 mends the crash")
	d.allOn("2.0.0")
}
