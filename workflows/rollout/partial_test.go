package rollout

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// tolerant is fourStages with an allowance in every stage.
func tolerant(percent float64) spec.Spec {
	s := fourStages()
	for i := range s.Stages {
		s.Stages[i].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Percent: percent}}
	}
	return s
}

// away makes targets of a world unreachable by their place in the order of exposure.
func (w *world) leave(s spec.Spec, places ...int) {
	_, err := w.cut(w.t.Context(), activities.PlanInput{Spec: s})
	require.NoError(w.t, err)
	for _, i := range places {
		w.away[w.plan.Order[i].ID] = true
	}
}

// Within its tolerance a stage goes on without the targets that do not answer, and the outcome
// names them; one more takes it back.
func TestToleratedTargetsAreNamed(t *testing.T) {
	w := newWorld(t, 100)
	w.leave(tolerant(10), 10, 60, 61)
	out := w.run(tolerant(10))
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
	require.Len(t, out.Outcome.Unreached, 3)
	require.Equal(t, 97, w.on("2.0.0"))
	require.Equal(t, 1, out.Stages[1].Absent)
	require.Equal(t, "97 of 100 targets run 2.0.0, 3 left out", out.Outcome.Why)
	var reached, left []int
	for _, st := range out.Stages {
		reached, left = append(reached, st.Reached), append(left, st.LeftOut)
	}
	require.Equal(t, []int{1, 19, 49, 97}, reached)
	require.Equal(t, []int{0, 1, 1, 3}, left)

	w = newWorld(t, 100)
	w.leave(tolerant(10), 60, 61, 62, 63, 64, 65)
	out = w.run(tolerant(10))
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
	require.Contains(t, out.Outcome.Why, "6 of 50 targets do not answer, 5 are tolerated")
	require.Equal(t, 100, w.on("1.0.0"))
	require.Empty(t, out.Outcome.NotReverted, "what was never touched is not to be put back")
}

// Targets that come back are brought in by a stage of their own before the rollout settles, and
// judged: harm there takes everything back.
func TestReturnersAreSwept(t *testing.T) {
	for _, harm := range []bool{false, true} {
		w := newWorld(t, 100)
		w.leave(tolerant(10), 10, 60)
		w.do(200*time.Second, func() { clear(w.away) })
		w.fails(func(stage int, _ time.Duration) bool { return stage == 4 && harm })
		out := w.run(tolerant(10))
		require.Len(t, out.Stages, 5)
		require.Equal(t, spec.StageSweep, out.Stages[4].Name)
		require.Equal(t, 2, out.Stages[4].Cohort)
		if harm {
			require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
			require.Equal(t, 100, w.on("1.0.0"))
		} else {
			require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
			require.Empty(t, out.Outcome.Unreached)
			require.Equal(t, 100, w.on("2.0.0"))
			require.Equal(t, 98, out.Stages[3].Reached)
			require.Equal(t, 100, out.Stages[4].Reached)
		}
	}
}

// Targets that joined a listed fleet are swept in, and go back to what they ran when the sweep does
// harm; a fleet that cannot be listed again changes nothing.
func TestJoinersAreSwept(t *testing.T) {
	for _, tc := range []struct {
		trouble error
		harm    bool
		want    rollout.Phase
		sweeps  int
	}{
		{nil, false, rollout.PhasePromoted, 1},
		{nil, true, rollout.PhaseRolledBack, 1},
		{errors.New("no such command"), false, rollout.PhasePromoted, 0},
	} {
		w := newWorld(t, 20)
		w.releases["new"] = "0.9.0"
		w.relisted = func(in activities.RelistInput) (activities.Relisted, error) {
			switch {
			case tc.trouble != nil:
				return activities.Relisted{}, temporal.NewNonRetryableApplicationError(tc.trouble.Error(), activities.ErrTypeInvalid, nil)
			case slices.Contains(in.Known, "new"):
				return activities.Relisted{}, nil
			}
			return activities.Relisted{Joined: []fleet.Target{{ID: "new", Address: "new:80"}}}, nil
		}
		w.fails(func(stage int, _ time.Duration) bool { return tc.harm && stage == 4 })
		s := fourStages()
		s.Fleet = spec.FleetSource{Command: []string{"./list"}}
		out := w.run(s)
		require.Equal(t, tc.want, out.Outcome.Result, out.Outcome.Why)
		require.Len(t, out.Stages, 4+tc.sweeps)
		switch {
		case tc.harm:
			require.Equal(t, "0.9.0", w.releases["new"])
			require.Equal(t, 20, w.on("1.0.0"))
		case tc.sweeps == 1:
			require.Equal(t, 21, w.on("2.0.0"))
			require.Equal(t, 21, out.Targets)
		default:
			require.Equal(t, 20, w.on("2.0.0"))
		}
	}
}

// A target that has left the fleet is named as that.
func TestLeaversAreNamed(t *testing.T) {
	w := newWorld(t, 100)
	s := tolerant(10)
	s.Fleet = spec.FleetSource{Command: []string{"./list"}}
	w.leave(s, 60)
	gone := w.plan.Order[60].ID
	w.relisted = func(activities.RelistInput) (activities.Relisted, error) {
		return activities.Relisted{Left: []string{gone}}, nil
	}
	out := w.run(s)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
	require.Equal(t, []rollout.TargetTrouble{{ID: gone, Reason: "has left the fleet"}}, out.Outcome.Unreached)
}

// A target that goes silent while it is changed may run either release: it is taken back with the
// others, or named.
func TestSilentInTheMiddleIsTakenBack(t *testing.T) {
	w := newWorld(t, 100)
	s := tolerant(10)
	w.leave(s)
	victim := w.plan.Order[30].ID
	w.silent = map[string]bool{victim: true}
	w.health = func(stage int, _ time.Duration) health.Verdict {
		if stage == 3 {
			w.away[victim] = true
			return health.Fail
		}
		return health.Pass
	}
	out := w.run(s)
	require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
	require.Equal(t, victim, out.Outcome.NotReverted[0].ID)
	require.Len(t, out.Outcome.NotReverted, 1)
}

// An incomplete rollback keeps the unit locked until its targets are back.
func TestRetryRollback(t *testing.T) {
	w := newWorld(t, 100)
	w.health = func(stage int, _ time.Duration) health.Verdict {
		if stage == 2 {
			w.stuck[w.plan.Order[3].ID], w.stuck[w.plan.Order[30].ID] = true, true
			return health.Fail
		}
		return health.Pass
	}
	var seen rollout.State
	w.do(time.Hour, func() {
		seen = w.state()
	})
	w.at(2*time.Hour, rollout.SignalRetry, nil)
	w.at(3*time.Hour, rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "go"})
	w.do(4*time.Hour, func() { clear(w.stuck) })
	w.at(5*time.Hour, rollout.SignalRetry, rollout.ControlRequest{By: "ann"})
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseLocked, seen.Phase)
	require.Equal(t, rollout.PhaseIncomplete, seen.Outcome.Result)
	require.Len(t, seen.Outcome.NotReverted, 2)
	require.Contains(t, seen.Why, "retry-rollback")
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
	require.Equal(t, 50, out.Outcome.Reverted)
	require.Equal(t, "yes", out.Outcome.Recovered)
	require.Equal(t, 100, w.on("1.0.0"))
	require.NotEmpty(t, out.Controls[1].Refused, "nothing but these two signals counts now")
}

// Giving up needs a name and a reason, and both are in the outcome.
func TestGiveUp(t *testing.T) {
	w := newWorld(t, 10)
	w.health = func(int, time.Duration) health.Verdict {
		w.stuck[w.plan.Order[0].ID] = true
		return health.Fail
	}
	w.at(time.Second, rollout.SignalRetry, nil)
	w.at(time.Hour, rollout.SignalGiveUp, nil)
	w.at(2*time.Hour, rollout.SignalGiveUp, rollout.ControlRequest{By: "ann", Why: "the host is scrapped"})
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
	require.Len(t, out.Outcome.NotReverted, 1)
	require.Equal(t, "ann", out.Outcome.GaveUp.By)
	require.Equal(t, 2*time.Hour, out.Outcome.EndedAt.Sub(out.StartedAt).Round(time.Minute))
	require.Contains(t, out.Controls[0].Refused, "no incomplete rollback")
	require.Contains(t, out.Controls[1].Refused, "needs a name and a reason")
}

// An unhealthy fleet is refused before anything is changed, unless somebody has said why not; that
// is kept.
func TestPreflight(t *testing.T) {
	for _, tc := range []struct {
		before   health.Verdict
		override *rollout.ControlRequest
		want     rollout.Phase
	}{
		{health.Pass, nil, rollout.PhasePromoted},
		{health.Unexercised, nil, rollout.PhasePromoted},
		{health.Fail, nil, rollout.PhaseRefused},
		{health.NoData, nil, rollout.PhaseRefused},
		{health.Stale, nil, rollout.PhaseRefused},
		{health.Fail, &rollout.ControlRequest{By: "ann", Why: "the release mends it"}, rollout.PhasePromoted},
		{health.NoData, &rollout.ControlRequest{By: "ann", Why: "Prometheus is being moved"}, rollout.PhasePromoted},
	} {
		w := newWorld(t, 10)
		w.before = tc.before
		out := w.submit(Submission{Spec: fourStages(), By: "test", Override: tc.override})
		require.Equal(t, tc.want, out.Outcome.Result, "%s: %s", tc.before, out.Outcome.Why)
		require.Equal(t, tc.override != nil, out.Preflight.Override != nil)
		if tc.want == rollout.PhaseRefused {
			require.Empty(t, w.applies)
			require.Equal(t, rollout.Refuse, out.Preflight.Decision)
			words, reason := "nobody can judge the fleet before the change", rollout.RefusedUnjudged
			if tc.before == health.Fail {
				words, reason = "the fleet is not healthy before the change", rollout.RefusedUnhealthy
			}
			require.Contains(t, out.Outcome.Why, words)
			require.Equal(t, reason, out.Outcome.Reason)
		}
	}
}

// What a bundle was let pass with is kept with the rollout.
func TestWhatWasLetPassIsKept(t *testing.T) {
	over := &rollout.ControlRequest{By: "ann", Why: "the old rules are gone for good", Override: true}
	w := newWorld(t, 10)
	out := w.submit(Submission{Spec: fourStages(), By: "test", Override: over, Passed: "40 of 100 entries removed"})
	require.Len(t, out.Controls, 1)
	require.Equal(t, "the old rules are gone for good (let pass: 40 of 100 entries removed)", out.Controls[0].Why)
	require.True(t, out.Controls[0].Override)
	require.Nil(t, out.Preflight.Override, "the fleet was healthy")
	require.Empty(t, newWorld(t, 10).submit(Submission{Spec: fourStages(), By: "test", Override: over}).Controls)
}

// A fleet that stood still while the rollout went back, and answers again, is not said to be left
// out.
func TestWhoAnswersAgainIsNotLeftOut(t *testing.T) {
	w := newWorld(t, 20)
	still := func(yes bool) {
		for _, target := range w.fleet.Targets {
			w.away[target.ID], w.stuck[target.ID] = yes, yes
		}
	}
	w.health = func(int, time.Duration) health.Verdict {
		still(true)
		return health.Fail
	}
	w.reverter = func(ctx context.Context, in activities.RevertInput) (activities.Reverted, error) {
		if !in.Deadline.IsZero() {
			w.mu.Lock()
			still(false)
			w.mu.Unlock()
		}
		return w.revert(ctx, in)
	}
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, 20, w.on("1.0.0"))
	require.Empty(t, out.Outcome.Unreached)
}
