package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// left puts n targets on a release, as an earlier run would have that was terminated, and is what
// its history tells.
func (w *world) left(n int, release string) activities.Inherited {
	var batch activities.Batch
	for _, t := range w.fleet.Targets[:n] {
		w.releases[t.ID], w.fences[t.ID] = release, 10
		batch.Stragglers = append(batch.Stragglers, t)
	}
	batch.To = n
	return activities.Inherited{
		From:    []string{"run 1 of " + release + ", which was terminated"},
		Touched: []activities.Touched{{Batch: batch, Previous: activities.Previous{Common: "1.0.0"}, Count: n, Back: 11}},
	}
}

// A workflow that is not its unit's one, or is given another's state, changes nothing.
func TestASecondWriterRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		id   string
		sub  Submission
		want string
	}{
		"another id":      {"edge-again", Submission{Spec: fourStages()}, `rollouts of edge are "rollout:edge"`},
		"another unit":    {"rollout:other", Submission{Spec: fourStages()}, `rollouts of edge are "rollout:edge"`},
		"another's input": {"rollout:edge", Submission{Spec: fourStages(), Carried: &Carried{State: rollout.State{Exposed: 7}}}, "does not continue"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			w.id = tc.id
			w.mount(w.env.Now())
			out := w.submit(tc.sub)
			require.Equal(t, rollout.PhaseRefused, out.Outcome.Result)
			require.Contains(t, out.Outcome.Why, tc.want)
			require.Contains(t, out.Outcome.Why, "sluice start")
			require.Zero(t, out.Exposed)
			require.Empty(t, w.applies)
		})
	}
}

// What a terminated run has left is taken back before the next rollout begins, whatever that one
// becomes.
func TestATerminatedRunIsTakenOver(t *testing.T) {
	for name, tc := range map[string]struct {
		release string
		before  health.Verdict
		want    rollout.Phase
		on      string
	}{
		"the same again":    {"2.0.0", health.Pass, rollout.PhasePromoted, "2.0.0"},
		"another":           {"1.9.0", health.Pass, rollout.PhasePromoted, "2.0.0"},
		"and it is refused": {"2.0.0", health.Fail, rollout.PhaseRefused, "1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			w.inherited, w.before = w.left(12, tc.release), tc.before
			out := w.run(fourStages())
			require.Equal(t, tc.want, out.Outcome.Result, out.Outcome.Why)
			require.Equal(t, 20, w.on(tc.on))
			require.Contains(t, out.TakenOver, "run 1 of "+tc.release+", which was terminated; 12 targets were rolled back first")
			for _, a := range w.applies[:12] {
				require.Equal(t, "1.0.0", a.release, "before anything else")
				require.EqualValues(t, 11, a.fence)
			}
		})
	}
}

// Those that do not come back lock the unit, by name.
func TestATerminatedRunThatDoesNotComeBackLocks(t *testing.T) {
	w := newWorld(t, 20)
	w.inherited = w.left(12, "1.9.0")
	w.stuck["t003"] = true
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
	require.Equal(t, []rollout.TargetTrouble{{ID: "t003", Reason: "not reached"}}, out.Outcome.NotReverted)
	require.Equal(t, 12, out.Outcome.Touched)
	require.Equal(t, 19, w.on("1.0.0"))
	require.Zero(t, w.on("2.0.0"), "nothing else was begun")
}

// A run that is reset takes back what the one before it had changed, whatever was recorded before
// the reset.
func TestAResetIsTakenBack(t *testing.T) {
	for name, at := range map[string]time.Duration{"before anything": 0, "in the canary": 30 * time.Second, "later": 150 * time.Second} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			inherited := w.left(12, "2.0.0")
			for _, target := range w.fleet.Targets[:12] {
				if at > 0 { // else the order of the first run is a new one's
					w.releases[target.ID], w.fences[target.ID] = "1.0.0", 0
				}
			}
			reset := func() {
				w.inherited, w.runID = inherited, "the reset one"
				for _, target := range w.fleet.Targets[:12] {
					w.releases[target.ID] = "2.0.0"
				}
			}
			if at == 0 {
				reset()
			} else {
				inherited.Touched[0].Back = rollout.Fence(w.env.Now()) + 1
				w.do(at, reset)
			}
			out := w.run(fourStages())
			require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
			require.Contains(t, out.Outcome.Why, "was reset")
			require.Contains(t, out.Outcome.Why, "run 1 of 2.0.0")
			require.GreaterOrEqual(t, out.Outcome.Reverted, 12)
			require.Equal(t, out.Outcome.Touched, out.Outcome.Reverted)
			require.Zero(t, out.Exposed)
			require.Equal(t, 20, w.on("1.0.0"))
		})
	}
}

// What the run before had found on the release, and taken back, was changed: the outcome of the
// reset says so.
func TestAResetOnTheWayBackFromWhatWasFound(t *testing.T) {
	w := newWorld(t, 20)
	w.runID, w.inherited = "the reset one", w.left(12, "2.0.0")
	for _, t := range w.fleet.Targets[3:12] { // of the batch, but never on the release
		w.releases[t.ID], w.fences[t.ID] = "1.0.0", 0
	}
	found := w.fleet.Targets[:3]
	w.inherited.Touched[0].Only, w.inherited.Touched[0].Count = []string{found[0].ID, found[1].ID, found[2].ID}, 3
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
	require.NotContains(t, out.Outcome.Why, nothingChanged)
	require.Equal(t, []int{3, 3}, []int{out.Outcome.Touched, out.Outcome.Reverted})
	require.Equal(t, 20, w.on("1.0.0"))
}

// A reset of a run that had ended changes nothing, and says how that one ended.
func TestAResetOfAnEndedRun(t *testing.T) {
	w := newWorld(t, 20)
	for id := range w.releases {
		w.releases[id] = "2.0.0"
	}
	w.runID = "the reset one"
	w.inherited = activities.Inherited{Ended: &rollout.Outcome{Result: rollout.PhasePromoted, Why: "all 20 targets run 2.0.0", Touched: 20}}
	out := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
	require.Contains(t, out.Outcome.Why, "has changed nothing since; it had ended so: all 20 targets run 2.0.0")
	require.Empty(t, w.applies)
}

// A reset before anything was changed says so, unless the targets say otherwise: then the history
// was lost, for example with a database that was restored.
func TestTheTargetsHaveTheLastWord(t *testing.T) {
	for name, tc := range map[string]struct {
		own   int
		reset bool
		want  rollout.Phase
	}{
		"a reset, nothing changed":   {0, true, rollout.PhaseRefused},
		"a restored database":        {12, false, rollout.PhaseRolledBack},
		"a refusal, nothing changed": {0, false, rollout.PhaseRefused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			w.before = health.Fail
			for _, target := range w.fleet.Targets[20-tc.own:] {
				w.releases[target.ID], w.fences[target.ID] = "2.0.0", rollout.Fence(w.env.Now())
			}
			if tc.reset {
				w.runID = "the reset one"
			}
			out := w.run(fourStages())
			require.Equal(t, tc.want, out.Outcome.Result, out.Outcome.Why)
			require.Equal(t, tc.own, out.Outcome.Reverted)
			require.Equal(t, 20, w.on("1.0.0"))
			require.Equal(t, tc.own == 0, strings.Contains(out.Outcome.Why, nothingChanged), out.Outcome.Why)
		})
	}
}

// After a way back all are asked what they run, but for batches that were all seen back with a
// fence that keeps late orders out.
func TestWhoIsAskedAfterAWayBack(t *testing.T) {
	for _, tc := range []struct {
		unfenced, silent bool
		asked            int
	}{{false, false, 16}, {true, false, 20}, {false, true, 19}} {
		w, s := newWorld(t, 20), fourStages()
		w.unfenced = tc.unfenced
		if tc.silent {
			p, err := plan.New(s, w.fleet, spec.Kinds{})
			require.NoError(t, err)
			w.away[p.Order[1].ID] = true
			s.Stages[1].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Targets: 1}}
		}
		w.health = func(stage int, _ time.Duration) health.Verdict {
			return map[bool]health.Verdict{true: health.Fail, false: health.Pass}[stage == 1]
		}
		require.Equal(t, rollout.PhaseRolledBack, w.run(s).Outcome.Result)
		require.Equal(t, tc.asked, w.surveyed, "%+v", tc)
		require.Equal(t, 20, w.on("1.0.0"))
	}
}

// After a way back no target runs the release, wherever it was found, or it is named.
func TestTheSameReleaseAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		found    int
		stuck    []string
		fallback *spec.Fallback
		result   rollout.Phase
		home     string
		named    int
	}{
		"found in every stage":        {12, nil, nil, rollout.PhaseRolledBack, "1.0.0", 0},
		"one of them does not come":   {12, []string{"t005"}, nil, rollout.PhaseIncomplete, "1.0.0", 1},
		"on all of them":              {20, nil, nil, rollout.PhaseIncomplete, "2.0.0", 20},
		"on all of them, a fallback":  {20, nil, &spec.Fallback{Release: "0.9.0"}, rollout.PhaseRolledBack, "", 0},
		"on all of them but a silent": {19, nil, nil, rollout.PhaseIncomplete, "2.0.0", 19},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			w.plan.Spec.Release = "2.0.0"
			for _, target := range w.fleet.Targets[:tc.found] {
				w.releases[target.ID] = "2.0.0"
			}
			if tc.found == 19 {
				w.away["t019"] = true
			}
			for _, id := range tc.stuck {
				w.stuck[id] = true
			}
			w.fails(func(stage int, since time.Duration) bool { return stage == 0 })
			s := fourStages()
			s.Fallback = tc.fallback
			out := w.run(s)
			require.Equal(t, tc.result, out.Outcome.Result, out.Outcome.Why)
			require.Len(t, out.Outcome.NotReverted, tc.named)
			for id, r := range w.releases {
				named := func(in []rollout.TargetTrouble) bool {
					return slices.ContainsFunc(in, func(t rollout.TargetTrouble) bool { return t.ID == id })
				}
				require.True(t, r != "2.0.0" || named(out.Outcome.NotReverted) || named(out.Outcome.Unreached), id)
				if r != "2.0.0" && !w.away[id] {
					require.Equal(t, tc.home, r, id)
				}
			}
			if tc.found == 19 {
				require.Equal(t, "t019", out.Outcome.Unreached[0].ID)
			}
			require.Equal(t, out.Outcome.NotBack, out.Exposed)
		})
	}
}

// What nobody could take back can be looked for again.
func TestWhatWasFoundIsLookedForAgain(t *testing.T) {
	w := newWorld(t, 20)
	for id := range w.releases {
		w.releases[id] = "2.0.0"
	}
	w.health = func(int, time.Duration) health.Verdict { return health.Fail }
	w.do(time.Hour, func() {
		for i := range 5 {
			w.releases[fmt.Sprintf("t%03d", i)] = "1.0.0"
		}
	})
	w.at(2*time.Hour, "retry-rollback", rollout.ControlRequest{By: "ann"})
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, 20, w.on("1.0.0"))
	require.Equal(t, 15, out.Outcome.Touched)
	require.Equal(t, 15, out.Outcome.Reverted)
}

func TestHome(t *testing.T) {
	touched := []exposure{
		{Previous: activities.Previous{Common: "1.0.0", Others: map[string][]string{"0.9.0": {"a"}}}, Count: 3},
		{Previous: activities.Previous{Common: "0.9.0"}, Count: 2},
	}
	for name, tc := range map[string]struct {
		touched  []exposure
		others   map[string]int
		fallback bool
		want     string
		ok       bool
	}{
		"what most came from":     {touched, map[string]int{"5": 9}, false, "0.9.0", true},
		"what the others run":     {nil, map[string]int{"5": 9, "6": 1}, false, "5", true},
		"never the release":       {[]exposure{{Previous: activities.Previous{Common: "2.0.0"}, Count: 2}}, map[string]int{"1.0.0": 1}, false, "1.0.0", true},
		"nothing was installed":   {[]exposure{{Count: 2}}, map[string]int{"": 3}, true, "", true},
		"nothing and no fallback": {nil, map[string]int{"": 3}, false, "", false},
		"the fallback":            {nil, nil, true, "", true},
	} {
		got, ok := home("2.0.0", tc.touched, tc.others, tc.fallback)
		require.Equal(t, tc.want, got, name)
		require.Equal(t, tc.ok, ok, name)
	}
}

// A reset of a run that had ended takes back what ran then, and leaves what that one has left.
func TestAResetOfAnEndedRunWhileAnotherRuns(t *testing.T) {
	for name, others := range map[string]int{"which had changed some": 12, "which has ended": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			for id := range w.releases {
				w.releases[id], w.fences[id] = "2.0.0", rollout.Fence(w.env.Now())
			}
			w.runID = "the reset one"
			if others > 0 {
				w.inherited = w.left(others, "3.0.0")
				w.inherited.Touched[0].Previous.Common = "2.0.0"
			}
			w.reverter = func(_ context.Context, in activities.RevertInput) (activities.Reverted, error) {
				for _, target := range w.targets(in.Batch) {
					w.releases[target.ID] = in.Previous.Common
				}
				return activities.Reverted{Reverted: in.To - in.From}, nil
			}
			w.inherited.Closed = true
			out := w.run(fourStages())
			require.Equal(t, others == 0, out.Outcome.Result == rollout.PhaseRefused, out.Outcome.Why)
			require.Equal(t, others == 0, out.Outcome.Reason == rollout.RefusedEarlier)
			require.Contains(t, out.Outcome.Why, "was reset when it had ended, and another has begun since")
			require.Equal(t, others, out.Outcome.Reverted)
			require.Equal(t, 20, w.on("2.0.0"))
			require.Zero(t, out.Exposed)
		})
	}
}

// Where nobody knows what earlier runs have left the targets are asked, also before a plan; if they
// cannot be, the unit locks.
func TestAResetOfWhichNothingIsKnown(t *testing.T) {
	lost := temporal.NewNonRetryableApplicationError("no history", activities.ErrTypeInvalid, errors.New("gone"))
	for name, tc := range map[string]struct {
		cut    error
		result rollout.Phase
	}{
		"the fleet is cut":    {nil, rollout.PhaseRolledBack},
		"it is after a retry": {temporal.NewNonRetryableApplicationError("no fleet", activities.ErrTypeInvalid, nil), rollout.PhaseRolledBack},
		"it never is":         {temporal.NewNonRetryableApplicationError("no fleet", activities.ErrTypeInvalid, nil), rollout.PhaseIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			w.runID, w.inheritErr, w.cutErr = "the reset one", lost, tc.cut
			for _, target := range w.fleet.Targets[:12] {
				w.releases[target.ID], w.fences[target.ID] = "2.0.0", 10
			}
			if tc.cut != nil {
				w.at(time.Hour, rollout.SignalRetry, rollout.ControlRequest{By: "ann"})
			}
			if tc.result == rollout.PhaseRolledBack {
				w.do(30*time.Minute, func() { w.cutErr = nil })
			}
			out := w.run(fourStages())
			require.Equal(t, tc.result, out.Outcome.Result, out.Outcome.Why)
			require.NotContains(t, out.Outcome.Why, nothingChanged)
			require.Contains(t, out.Outcome.Why, "no history")
			require.Equal(t, out.Outcome.NotBack, out.Exposed)
			if tc.result == rollout.PhaseRolledBack {
				require.Equal(t, 20, w.on("1.0.0"))
				require.Equal(t, 12, out.Outcome.Touched)
				return
			}
			require.Equal(t, "every target", out.Outcome.NotReverted[0].ID)
			require.Contains(t, out.Outcome.NotReverted[0].Reason, "nobody knows what it runs: ")
		})
	}
}

// What another rollout has put on the release stays where this one has changed nothing and seen no
// harm, and is named.
func TestWhatWasThereBeforeStays(t *testing.T) {
	for name, tc := range map[string]struct {
		found   int
		prepare func(*world, *spec.Spec)
		result  rollout.Phase
		stays   bool
	}{
		"aborted while it waits to begin": {18, func(w *world, s *spec.Spec) {
			s.Stages[0].Approval = spec.ApprovalRequired
			w.at(time.Minute, rollout.SignalAbort, rollout.ControlRequest{By: "ann"})
		}, rollout.PhaseAborted, true},
		"aborted, on all of them": {20, func(w *world, _ *spec.Spec) {
			w.at(time.Second, rollout.SignalAbort, rollout.ControlRequest{By: "ann"})
		}, rollout.PhaseAborted, true},
		"nobody can tell": {18, func(w *world, _ *spec.Spec) {
			w.health = func(int, time.Duration) health.Verdict { return health.NoData }
		}, rollout.PhaseRolledBack, true},
		"refused": {18, func(w *world, _ *spec.Spec) { w.before = health.Fail }, rollout.PhaseRefused, true},
		"harm": {18, func(w *world, _ *spec.Spec) {
			w.health = func(int, time.Duration) health.Verdict { return health.Fail }
		}, rollout.PhaseRolledBack, false},
		"aborted when it has changed some": {18, func(w *world, _ *spec.Spec) {
			w.health = func(stage int, _ time.Duration) health.Verdict {
				if stage == 3 {
					w.env.SignalWorkflow(rollout.SignalAbort, rollout.ControlRequest{By: "ann"})
				}
				return health.Pass
			}
		}, rollout.PhaseAborted, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newWorld(t, 20), fourStages()
			for _, target := range w.fleet.Targets[:tc.found] {
				w.releases[target.ID] = "2.0.0"
			}
			tc.prepare(w, &s)
			out := w.run(s)
			require.Equal(t, tc.result, out.Outcome.Result, out.Outcome.Why)
			if !tc.stays {
				require.Zero(t, out.Exposed)
				require.Equal(t, 20, w.on("1.0.0"))
				return
			}
			require.Equal(t, tc.found, w.on("2.0.0"))
			require.Zero(t, out.Outcome.Touched)
			require.Contains(t, out.Outcome.Why, fmt.Sprintf("; %d targets run 2.0.0 by another rollout, and keep it: t00", tc.found))
		})
	}
}
