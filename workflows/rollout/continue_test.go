package rollout

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// grow makes the history long at a time after the start.
func (w *world) grow(at time.Duration) {
	w.do(at, func() {
		w.env.SetContinueAsNewSuggested(true)
		w.env.SignalWorkflow(rollout.SignalResume, nil) // something that makes the workflow look
	})
}

// Wherever a rollout continues as new, it ends as it would have without, at the same time, and with
// the same orders to the targets.
func TestContinuesAsNew(t *testing.T) {
	story := func(grow ...time.Duration) (*world, rollout.State) {
		w := newWorld(t, 100)
		s := tolerant(10)
		s.Stages[2].Approval = spec.ApprovalRequired
		w.leave(s, 10)
		w.health = func(stage int, since time.Duration) health.Verdict {
			switch {
			case stage == 1 && since < 80*time.Second: // holds for 20 s after its bake
				return health.NoData
			case stage == 4 && since > 30*time.Second:
				return health.Fail
			}
			return health.Pass
		}
		w.at(40*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
		w.at(100*time.Second, rollout.SignalResume, rollout.ControlRequest{By: "ann"})
		w.at(10*time.Minute, rollout.SignalApprove, rollout.ControlRequest{By: "bob"})
		w.do(11*time.Minute, func() { clear(w.away) })
		w.do(12*time.Minute, func() { w.stuck[w.plan.Order[0].ID] = true })
		w.do(20*time.Minute, func() { clear(w.stuck) })
		w.at(5*time.Hour, rollout.SignalRetry, rollout.ControlRequest{By: "bob"})
		for _, at := range grow {
			w.grow(at)
		}
		return w, w.run(s)
	}
	plain, want := story()
	require.Equal(t, rollout.PhaseRolledBack, want.Outcome.Result, want.Outcome.Why)
	require.Len(t, want.Stages, 5)
	require.Equal(t, 1, plain.runs)
	for _, at := range [][]time.Duration{
		{20 * time.Second},
		{70 * time.Second},
		{110 * time.Second},
		{185 * time.Second},
		{4 * time.Minute},
		{10*time.Minute + 20*time.Second},
		{12*time.Minute + 10*time.Second},
		{13 * time.Minute},
		{4 * time.Hour},
		{10 * time.Second, 60 * time.Second, 150 * time.Second, 5 * time.Minute, 11*time.Minute + 5*time.Second, 4 * time.Hour},
	} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			w, got := story(at...)
			require.Greater(t, w.runs, 1)
			require.Equal(t, want.Outcome.Result, got.Outcome.Result, got.Outcome.Why)
			require.Equal(t, want.Outcome.EndedAt, got.Outcome.EndedAt)
			require.Equal(t, want.Outcome.Reverted, got.Outcome.Reverted)
			require.Equal(t, want.Fence, got.Fence)
			require.Equal(t, orders(plain), orders(w))
			require.Equal(t, 100, w.on("1.0.0"))
		})
	}
}

// What v0.1.0 has baked counts after an upgrade in the middle of a stage, though it did not note
// who watched: the rollout ends when it would have.
func TestABakeOfTheFirstVersionGoesOn(t *testing.T) {
	story := func(at time.Duration, carried func(*Carried)) (*world, rollout.State) {
		w := newWorld(t, 20)
		w.carried = carried
		w.grow(at)
		return w, w.run(fourStages())
	}
	for _, at := range []time.Duration{30 * time.Second, 50 * time.Second, 100 * time.Second, 135 * time.Second} {
		t.Run(at.String(), func(t *testing.T) {
			w, want := story(at, nil)
			require.Equal(t, 2, w.runs)
			stripped := false
			_, got := story(at, func(c *Carried) {
				stripped = c.Suspended != nil
				c.Suspended.Watched = health.Watched{}
			})
			require.True(t, stripped)
			require.Equal(t, rollout.PhasePromoted, got.Outcome.Result, got.Outcome.Why)
			require.WithinDuration(t, want.Outcome.EndedAt, got.Outcome.EndedAt, 2*time.Second)
		})
	}
}

// orders are the orders of a world by target, without their times.
func orders(w *world) map[string][]string {
	out := map[string][]string{}
	for _, a := range w.applies {
		out[a.id] = append(out[a.id], fmt.Sprint(a.release, " ", a.fence))
	}
	return out
}

// What is too much to carry stays where it is: a long history is better than a rollout that cannot
// go on.
func TestTooMuchToCarry(t *testing.T) {
	w := newWorld(t, 30_000)
	for i := range 30_000 {
		w.releases[fmt.Sprintf("t%03d", i)] = fmt.Sprintf("1.0.%d-%060d", i, i)
	}
	s := fourStages()
	s.Apply.Batch = 5000
	w.grow(200 * time.Second)
	out := w.run(s)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
	require.Equal(t, 1, w.runs)
}

// A unit that is locked continues as new also after an abort, and is unlocked as before.
func TestLockedAfterAnAbortContinuesAsNew(t *testing.T) {
	for _, unlock := range []string{rollout.SignalRetry, rollout.SignalGiveUp} {
		w := newWorld(t, 10)
		w.at(30*time.Second, rollout.SignalAbort, rollout.ControlRequest{By: "ann", Why: "wrong build"})
		w.do(10*time.Second, func() { w.stuck[w.plan.Order[0].ID] = true })
		w.grow(2 * time.Hour)
		w.do(3*time.Hour, func() { clear(w.stuck) })
		w.at(4*time.Hour, unlock, rollout.ControlRequest{By: "bob", Why: "it is back"})
		out := w.run(fourStages())
		require.Equal(t, 2, w.runs)
		if unlock == rollout.SignalGiveUp {
			require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
			require.Equal(t, "bob", out.Outcome.GaveUp.By)
			continue
		}
		require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
		require.Contains(t, out.Outcome.Why, "aborted by ann")
		require.Equal(t, 1, out.Outcome.Reverted)
	}
}

// What is asked for while a rollout that continues as new waits for its notifications to be taken
// is carried.
func TestSignalsOnTheWayToTheNextRun(t *testing.T) {
	for signal, end := range map[string]rollout.Phase{
		rollout.SignalAbort: rollout.PhaseAborted, rollout.SignalApprove: rollout.PhasePromoted,
		rollout.SignalRetry: rollout.PhaseAborted, rollout.SignalGiveUp: rollout.PhaseIncomplete,
	} {
		t.Run(signal, func(t *testing.T) {
			w := newWorld(t, 10)
			w.telling = 5 * time.Second
			w.mount(w.env.Now())
			s := fourStages()
			s.Notify = &spec.Notify{Webhook: "https://hooks.example/x", On: []string{string(rollout.PhaseApproval), string(rollout.PhaseLocked)}}
			at := 2 * time.Second
			if end == rollout.PhasePromoted || signal == rollout.SignalAbort {
				s.Stages[0].Approval = spec.ApprovalRequired
				w.env.SetContinueAsNewSuggested(true)
			} else {
				at = 32 * time.Second
				w.do(10*time.Second, func() { w.stuck[w.plan.Order[0].ID] = true })
				w.do(30*time.Second, func() {
					w.env.SetContinueAsNewSuggested(true)
					w.env.SignalWorkflow(rollout.SignalAbort, rollout.ControlRequest{By: "ann"})
				})
				w.do(31*time.Second, func() { clear(w.stuck) })
			}
			w.do(at, func() {
				require.Equal(t, 1, w.runs)
				w.env.SignalWorkflow(signal, rollout.ControlRequest{By: "bob", Why: "as the test says"})
			})
			out := w.run(s)
			require.Equal(t, 2, w.runs)
			require.Equal(t, end, out.Outcome.Result)
			last := out.Controls[len(out.Controls)-1]
			require.Equal(t, rollout.Control{Signal: signal, By: "bob", Why: "as the test says", At: last.At}, last)
			require.WithinDuration(t, out.StartedAt.Add(at), last.At, time.Second)
		})
	}
}
