package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// Ten thousand targets left out, and tens of thousands locked, are more than a payload holds: on a
// real server the rollout ends, its status answers, and counts are exact.
func TestCrowdsOnAServer(t *testing.T) {
	a := act(t, 0)
	for i := range 60_000 {
		id := fmt.Sprintf("edge-%06d.ams1.example", i)
		a.fleet.Targets = append(a.fleet.Targets, fleet.Target{ID: id, Address: id + ":80"})
	}
	a.quiet = 10_000
	s := twoStages(time.Second)
	s.Apply.Batch = 2000
	s.Stages[1].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Percent: 20}}
	promoted := a.result(a.start(connect.WorkflowID("left-out"), s))
	require.Equal(t, rollout.PhasePromoted, promoted.Outcome.Result, promoted.Outcome.Why)
	require.Equal(t, 10_000, promoted.Outcome.LeftOut)
	require.Greater(t, len(promoted.Outcome.Unreached), 5000)

	a.mu.Lock()
	a.stuck = true
	a.gate = func(in activities.GateInput) health.Verdict {
		if in.Stage == 1 {
			return health.Fail
		}
		return health.Pass
	}
	a.mu.Unlock()
	run := a.start(connect.WorkflowID("locked"), s)
	locked := a.until(connect.WorkflowID("locked"), func(s rollout.State) bool { return s.Phase == rollout.PhaseLocked })
	require.Equal(t, 50_000, locked.Outcome.NotBack)
	require.Equal(t, 10_000, locked.LeftOut)
	a.release()
	a.signal(connect.WorkflowID("locked"), rollout.SignalRetry)
	back := a.result(run)
	require.Equal(t, rollout.PhaseRolledBack, back.Outcome.Result, back.Outcome.Why)
	require.Equal(t, 50_000, back.Outcome.Reverted)
}
