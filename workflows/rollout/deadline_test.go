package rollout

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// A way back whose activities only err, or never answer, locks the unit some time after the
// rollback's deadline, and says how much is not back; a retry goes on from there.
func TestRevertThatNeverAnswersLocks(t *testing.T) {
	errs := func(context.Context, activities.RevertInput) (activities.Reverted, error) {
		return activities.Reverted{}, errors.New("set up driver: token: file /run/token: no such file")
	}
	hangs := func(context.Context, activities.RevertInput) (activities.Reverted, error) {
		return activities.Reverted{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
	}
	final := func(context.Context, activities.RevertInput) (activities.Reverted, error) {
		return activities.Reverted{}, temporal.NewNonRetryableApplicationError("no plan", activities.ErrTypeInvalid, nil)
	}
	for name, revert := range map[string]func(context.Context, activities.RevertInput) (activities.Reverted, error){
		"errors": errs, "silence": hangs, "final": final,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 100)
			w.reverter = revert
			w.fails(func(stage int, _ time.Duration) bool { return stage == 2 })
			var seen rollout.State
			w.do(90*time.Minute, func() {
				seen = w.state()
				w.mu.Lock()
				defer w.mu.Unlock()
				w.reverter = w.revert
			})
			w.at(7*time.Hour, rollout.SignalRetry, rollout.ControlRequest{By: "ann"})
			out := w.run(fourStages())
			require.Equal(t, rollout.PhaseLocked, seen.Phase, seen.Why)
			require.Contains(t, seen.Why, "50 of 50 touched targets not known to be back")
			require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
			require.Equal(t, 50, out.Outcome.Reverted)
			require.Equal(t, 100, w.on("1.0.0"))
		})
	}
}

// Workers that were away for hours while a rollout goes back are no reason to lock: what timed out
// meanwhile is tried once more.
func TestRevertIsTriedAgainAfterALongAbsence(t *testing.T) {
	w := newWorld(t, 100)
	asked := map[int]bool{}
	w.reverter = func(ctx context.Context, in activities.RevertInput) (activities.Reverted, error) {
		w.mu.Lock()
		first := !asked[in.From]
		asked[in.From] = true
		w.mu.Unlock()
		if first {
			return activities.Reverted{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
		}
		return w.revert(ctx, in)
	}
	w.fails(func(stage int, _ time.Duration) bool { return stage == 2 })
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, 50, out.Outcome.Reverted)
}

// Every activity of the way back has the time that is left until the deadline, and that of one last
// attempt: also those that begin when the deadline is over.
func TestRevertHasWhatIsLeftOfTheDeadline(t *testing.T) {
	w := newWorld(t, 100)
	s := fourStages()
	s.Rollback.Deadline = spec.Duration(10 * time.Minute)
	limits := map[time.Duration]int{}
	var began, giveUp time.Time
	w.reverter = func(ctx context.Context, in activities.RevertInput) (activities.Reverted, error) {
		w.mu.Lock()
		info := activity.GetInfo(ctx)
		limits[info.ScheduleToCloseTimeout]++
		if began.IsZero() {
			began, giveUp = w.env.Now(), in.GiveUp
		}
		slow := w.env.Now().Equal(began)
		w.mu.Unlock()
		require.Equal(t, giveUp, in.GiveUp)
		out, err := w.revert(ctx, in)
		if !slow {
			return out, err
		}
		w.env.RegisterDelayedCallback(func() { _ = w.env.CompleteActivity(info.TaskToken, out, err) }, time.Hour)
		return activities.Reverted{}, activity.ErrResultPending
	}
	w.fails(func(stage int, _ time.Duration) bool { return stage == 3 })
	out := w.run(s)
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, 10*time.Minute, giveUp.Sub(began))
	require.Equal(t, batchesAtOnce, limits[10*time.Minute+batchTimeout])
	require.Greater(t, limits[batchTimeout], batchesAtOnce)
	require.Len(t, limits, 2)
}
