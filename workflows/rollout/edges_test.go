package rollout

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// However long a person takes, harm is seen: a wait outlasts the activity that watches, which is
// started again.
func TestHarmInALongWait(t *testing.T) {
	for _, wait := range []string{"approval", "person"} {
		w := newWorld(t, 20)
		s := fourStages()
		verdict := health.Pass
		if wait == "person" {
			s.Stages[0].Undecided, verdict = spec.UndecidedWait, health.NoData
		} else {
			s.Stages[1].Approval = spec.ApprovalRequired
		}
		w.health = func(_ int, since time.Duration) health.Verdict {
			if since > 30*time.Hour {
				return health.Fail
			}
			return verdict
		}
		out := w.run(s)
		require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, wait)
		require.Equal(t, 30*time.Hour, out.Outcome.EndedAt.Sub(out.StartedAt).Round(time.Minute), wait)
	}
}

// A watch that cannot run, or comes back at once, is started again ever more slowly: it must not
// fill the history. What it has missed is made up for before the stage is left.
func TestBrokenWatch(t *testing.T) {
	broken := map[string]func(context.Context, activities.WatchInput) (activities.StageReport, error){
		"error": func(context.Context, activities.WatchInput) (activities.StageReport, error) {
			return activities.StageReport{}, temporal.NewNonRetryableApplicationError("no such label", activities.ErrTypeInvalid, nil)
		},
		"early": func(context.Context, activities.WatchInput) (activities.StageReport, error) {
			return activities.StageReport{}, nil
		},
	}
	for name, watch := range broken {
		w := newWorld(t, 10)
		calls := 0
		w.watcher = func(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
			if over := w.env.Now().Sub(in.Since); in.Stage != 2 || over < time.Minute || over > 19*time.Hour {
				return w.watch(ctx, in)
			}
			calls++
			w.whenCancelled(nil)
			return watch(ctx, in)
		}
		s := fourStages()
		s.Stages[3].Approval = spec.ApprovalRequired
		w.at(20*time.Hour, rollout.SignalApprove, nil)
		out := w.run(s)
		require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, name)
		require.Contains(t, lastGateOf(out.Stages[2]).Why, "watched 1m of 1m", name)
		require.Less(t, calls, 200, name)
		require.Greater(t, calls, 20, name)
	}
}

// An abort that arrives together with the last gate's answer still counts.
func TestAbortWithTheLastGate(t *testing.T) {
	for _, late := range []time.Duration{-time.Millisecond, 0} {
		w := newWorld(t, 10)
		w.at(4*time.Minute+late, rollout.SignalAbort, rollout.ControlRequest{By: "ann"})
		out := w.run(fourStages())
		require.Len(t, out.Controls, 1)
		if out.Controls[0].Refused == "" {
			require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
			require.Equal(t, 10, w.on("1.0.0"))
		}
	}
}

// What a person decided at a gate still holds after a wait for somebody's approval, but for harm
// that the person has not seen.
func TestPromoteBeforeAnApproval(t *testing.T) {
	const pass, noData, fail = health.Pass, health.NoData, health.Fail
	for _, tc := range []struct {
		then, later health.Verdict
		check       string // that answers later
		override    bool
		end         rollout.Phase
	}{
		{noData, noData, "errors", false, rollout.PhasePromoted},
		{noData, fail, "errors", false, rollout.PhaseRolledBack},
		{noData, noData, "errors", true, rollout.PhasePromoted},
		{noData, fail, "errors", true, rollout.PhaseRolledBack},
		{noData, pass, "errors", true, rollout.PhasePromoted},
		{pass, fail, "errors", true, rollout.PhaseRolledBack},
		{fail, fail, "errors", true, rollout.PhasePromoted},
		{fail, fail, "lost rows", true, rollout.PhaseRolledBack},
		{fail, noData, "errors", true, rollout.PhasePromoted},
	} {
		for _, renewed := range []bool{false, true} {
			t.Run(fmt.Sprint(tc, renewed), func(t *testing.T) {
				w := newWorld(t, 10)
				s := fourStages()
				s.Stages[1].Approval = spec.ApprovalRequired
				w.health = func(int, time.Duration) health.Verdict { return health.NoData }
				w.do(30*time.Second, func() {
					w.health = func(i int, since time.Duration) health.Verdict {
						switch {
						case i > 0:
							return health.Pass
						case since > 2*time.Hour:
							return tc.later
						}
						return tc.then
					}
					w.env.SignalWorkflow(rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "seen by hand", Override: tc.override})
				})
				w.check = func(since time.Duration) string {
					if since > 2*time.Hour {
						return tc.check
					}
					return "errors"
				}
				if renewed {
					w.grow(time.Hour)
				}
				w.at(3*time.Hour, rollout.SignalApprove, rollout.ControlRequest{By: "bob"})
				out := w.run(s)
				require.Equal(t, tc.end, out.Outcome.Result, out.Outcome.Why)
				require.Equal(t, renewed, w.runs > 1)
			})
		}
	}
}

// A name and a reason are words, not blanks or control characters.
func TestPromoteNeedsWords(t *testing.T) {
	w := newWorld(t, 10)
	w.health = func(int, time.Duration) health.Verdict { return health.NoData }
	for i, req := range []rollout.ControlRequest{{By: " ", Why: "\t\n"}, {By: "\x00\x1b[3", Why: "ok"}, {By: "ann", Why: "  "}} {
		w.at(time.Duration(10+i)*time.Second, rollout.SignalPromote, req)
	}
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
	for _, c := range out.Controls {
		require.NotEmpty(t, c.Refused)
	}
}

// Why a rollout waits is kept up to date while the reasons change.
func TestWhyItWaits(t *testing.T) {
	w := newWorld(t, 10)
	s := fourStages()
	s.Stages[0].Approval = spec.ApprovalRequired
	seen := map[time.Duration]rollout.State{}
	look := func(at time.Duration) {
		w.do(at, func() {
			s := w.state()
			seen[at] = s
		})
	}
	w.at(time.Minute, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
	look(2 * time.Minute)
	w.at(3*time.Minute, rollout.SignalApprove, rollout.ControlRequest{By: "bob"})
	look(4 * time.Minute)
	w.at(5*time.Minute, rollout.SignalAbort, nil)
	w.run(s)
	require.Equal(t, rollout.PhaseApproval, seen[2*time.Minute].Phase)
	require.Contains(t, seen[2*time.Minute].Why, "needs approval")
	require.NotEqual(t, rollout.PhaseApproval, seen[4*time.Minute].Phase)
	require.Contains(t, seen[4*time.Minute].Why, "paused by ann")
}

// Every touched batch is tried once before any target is waited for, and only what did not come is
// tried again.
func TestEveryBatchIsTriedBeforeAnyIsWaitedFor(t *testing.T) {
	w := newWorld(t, 100)
	w.health = func(i int, _ time.Duration) health.Verdict {
		if i == 3 {
			w.stuck[w.plan.Order[0].ID], w.stuck[w.plan.Order[55].ID] = true, true
			return health.Fail
		}
		return health.Pass
	}
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
	require.Len(t, out.Outcome.NotReverted, 2)
	batches := len(w.sweeps) - 2
	for i, in := range w.sweeps {
		require.Equal(t, i >= batches, in.Only != nil)
		require.Equal(t, i < batches, in.Deadline.IsZero())
	}
}

// Evidence that comes and goes is put to the gate a number of times, and no more: then the rollout
// goes back.
func TestEvidenceThatComesAndGoes(t *testing.T) {
	w := newWorld(t, 10)
	s := fourStages()
	s.Stages[0].DecideWithin = spec.Duration(10 * time.Hour)
	w.watcher = func(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
		if in.UntilPass { // the watch sees a PASS at once, the gate never does
			in.Watched.For = in.Bake
			return activities.StageReport{Report: w.report(health.Pass), Watched: in.Watched}, nil
		}
		return w.watch(ctx, in)
	}
	w.health = func(int, time.Duration) health.Verdict { return health.NoData }
	out := w.run(s)
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
	require.LessOrEqual(t, w.gates, maxHolds+1)
	require.Greater(t, w.gates, 2)
}

// A signal of an unknown name changes nothing, and one that follows is heard.
func TestUnknownSignal(t *testing.T) {
	w := newWorld(t, 10)
	w.at(time.Second, "self-destruct", rollout.ControlRequest{By: "eve"})
	w.at(2*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
	w.at(time.Hour, rollout.SignalResume, nil)
	out := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
	require.Len(t, out.Controls, 2)
}

// A pause while a stage is measured leaves it untouched until somebody resumes.
func TestPauseWhileAStageIsMeasured(t *testing.T) {
	w := newWorld(t, 10)
	w.measuring = 5 * time.Minute
	w.mount(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	w.at(time.Minute, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
	touched := -1
	w.do(30*time.Minute, func() { touched = w.on("2.0.0") })
	w.at(31*time.Minute, rollout.SignalResume, rollout.ControlRequest{By: "ann"})
	s := w.run(fourStages())
	require.Zero(t, touched, "targets on the release half an hour into a pause")
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
}
