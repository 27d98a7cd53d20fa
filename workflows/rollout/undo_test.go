package rollout

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// promoted is a world in which a bad release was promoted everywhere, from two releases, and whose
// source of health is away.
func promotedWorld(t *testing.T) (*world, Submission) {
	w := newWorld(t, 20)
	w.before, w.recovers = health.NoData, health.NoData
	w.health = func(int, time.Duration) health.Verdict { return health.NoData }
	batch := activities.Batch{Plan: "sha256:plan", To: 20}
	for id := range w.releases {
		w.releases[id] = "2.0.0"
	}
	w.plan.Spec.Release = "2.0.0"
	w.inherited = activities.Inherited{Touched: []activities.Touched{{
		Batch: batch, Previous: activities.Previous{Common: "1.0.0", Others: map[string][]string{"0.9.0": {"t003"}}}, Count: 20,
	}}}
	return w, Submission{Spec: fourStages(), By: "ann", Undo: &Undo{Run: "run-1", Why: "it loses orders"}}
}

// What a person undoes goes back target by target, with a fence above everything, stays so whatever
// no check can say, and nothing but giving up steers it.
func TestUndo(t *testing.T) {
	w, sub := promotedWorld(t)
	for id := range w.releases {
		w.fences[id] = rollout.Fence(w.env.Now()) - 1
	}
	w.at(0, rollout.SignalAbort, rollout.ControlRequest{By: "bob"})
	out := w.submit(sub)
	require.Equal(t, rollout.PhaseUndone, out.Outcome.Result, out.Outcome.Why)
	require.Contains(t, out.Outcome.Why, "ann undoes the rollout of 2.0.0: it loses orders (run run-1)")
	require.Equal(t, "run-1", out.Undoes)
	require.Equal(t, 19, w.on("1.0.0"))
	require.Equal(t, "0.9.0", w.releases["t003"])
	require.Equal(t, 20, out.Outcome.Reverted)
	require.Equal(t, "back on 1.0.0: 19 targets; on 0.9.0: 1", out.Outcome.BackWord())
	require.Contains(t, rollout.Details(out), "Of 20 targets touched, back on 1.0.0: 19 targets; on 0.9.0: 1\n")
	require.Zero(t, out.Exposed)
	require.Zero(t, w.gates+w.watches)
	require.Empty(t, out.Outcome.Recovered)
	for _, c := range out.Controls {
		require.NotEmpty(t, c.Refused)
	}
}

// What does not come back locks the unit, and is tried again or given up, as ever.
func TestUndoThatIsIncomplete(t *testing.T) {
	for _, end := range []string{rollout.SignalRetry, rollout.SignalGiveUp} {
		w, sub := promotedWorld(t)
		w.stuck["t007"] = true
		w.do(time.Hour, func() { clear(w.stuck) })
		w.grow(90 * time.Minute)
		w.at(2*time.Hour, end, rollout.ControlRequest{By: "bob", Why: "as the test says"})
		out := w.submit(sub)
		if end == rollout.SignalGiveUp {
			require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
			require.Equal(t, "t007", out.Outcome.NotReverted[0].ID)
			continue
		}
		require.Equal(t, rollout.PhaseUndone, out.Outcome.Result)
		require.Equal(t, "1.0.0", w.releases["t007"])
	}
}

// Where the history is gone nothing is changed, and the end says so.
func TestUndoOfWhatIsNotKnown(t *testing.T) {
	w, sub := promotedWorld(t)
	w.inheritErr = temporal.NewNonRetryableApplicationError("no such run", activities.ErrTypeInvalid, errors.New("gone"))
	out := w.submit(sub)
	require.Equal(t, rollout.PhaseRefused, out.Outcome.Result)
	require.Equal(t, rollout.RefusedUndo, out.Outcome.Reason)
	require.Contains(t, out.Outcome.Why, "no such run")
	require.Equal(t, 20, w.on("2.0.0"))
}

// What the run to undo has not touched stays, and is named.
func TestUndoLeavesWhatItDidNotTouch(t *testing.T) {
	w, sub := promotedWorld(t)
	w.inherited.Touched[0].Batch = activities.Batch{Plan: "sha256:plan", To: 2, Stragglers: w.fleet.Targets[:2]}
	w.inherited.Touched[0].Previous.Others, w.inherited.Touched[0].Count = nil, 2
	out := w.submit(sub)
	require.Equal(t, rollout.PhaseUndone, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, 2, w.on("1.0.0"))
	require.Equal(t, 18, w.on("2.0.0"))
	require.Equal(t, 2, out.Outcome.Touched)
	require.Contains(t, out.Outcome.Why, "18 targets run 2.0.0 by another rollout, and keep it: ")
	require.Contains(t, out.Outcome.Why, ", …")
}

// A reset of an undo that had ended orders nothing: what runs now is a later rollout's. One that
// was reset before its end goes on.
func TestAResetOfAnUndo(t *testing.T) {
	for name, tc := range map[string]struct {
		left activities.Inherited
		want rollout.Phase
		says string
		on   int
	}{
		"ended, the newest":       {activities.Inherited{Closed: true, Ended: &rollout.Outcome{Result: rollout.PhaseUndone, Why: "ann undoes it"}}, rollout.PhaseUndone, "had ended so: ann undoes it", 0},
		"ended, another has come": {activities.Inherited{Closed: true}, rollout.PhaseRefused, "was reset when it had ended, and another has begun since", 0},
		"under way":               {activities.Inherited{}, rollout.PhaseUndone, "ann undoes the rollout of 2.0.0", 19},
	} {
		t.Run(name, func(t *testing.T) {
			w, sub := promotedWorld(t)
			w.runID, w.afterReset = "the reset one", &tc.left
			out := w.submit(sub)
			require.Equal(t, tc.want, out.Outcome.Result, out.Outcome.Why)
			require.Contains(t, out.Outcome.Why, tc.says)
			require.Equal(t, tc.on, w.on("1.0.0"))
			require.Empty(t, out.Outcome.NotReverted)
		})
	}
}
