package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// The whole fleet prepares before the first stage, and is told in the end that the release is good.
func TestPrepareThenSettle(t *testing.T) {
	w := newWorld(t, 100)
	w.prepares = true
	sub := fourStages()
	sub.Apply.Batch = 30
	w.preparer = func(in activities.PrepareInput) (activities.Prepared, error) {
		require.Empty(t, w.applies, "nothing is switched before all are ready")
		return activities.Prepared{Ready: in.To - in.From}, nil
	}
	s := w.run(sub)
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 100, s.Prepared)
	require.Equal(t, 4, w.prepared)
	require.Equal(t, 4, w.settled)
	require.Equal(t, "all 100 targets run 2.0.0", s.Outcome.Why)
}

// One target that refuses refuses the rollout, and silence counts as the stages tolerate it.
func TestPrepareRefused(t *testing.T) {
	no := activities.Trouble{ID: "t007", Reason: "nginx: [emerg] unknown directive", Refused: true}
	quiet := activities.Trouble{ID: "t008", Reason: "no answer", Silent: true}
	other := activities.Trouble{ID: "t009", Reason: "not that target"}
	for name, c := range map[string]struct {
		trouble  []activities.Trouble
		tolerate int
		result   rollout.Phase
		words    string
	}{
		"one refuses":            {[]activities.Trouble{no}, 0, rollout.PhaseRefused, "1 of 100 targets cannot run 2.0.0: t007 nginx: [emerg] unknown directive"},
		"one is silent":          {[]activities.Trouble{quiet}, 0, rollout.PhaseRefused, "1 of 100 targets do not answer, 0 may: t008 no answer"},
		"a silent one tolerated": {[]activities.Trouble{quiet}, 2, rollout.PhasePromoted, ""},
		"refusal beside silence": {[]activities.Trouble{quiet, no}, 2, rollout.PhaseRefused, "t007 nginx"},
		"another target":         {[]activities.Trouble{other}, 2, rollout.PhaseRefused, "t009 not that target"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 100)
			w.prepares = true
			sub := fourStages()
			sub.Stages[3].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Targets: c.tolerate}}
			w.preparer = func(in activities.PrepareInput) (activities.Prepared, error) {
				if in.From > 0 {
					return activities.Prepared{Ready: in.To - in.From}, nil
				}
				return activities.Prepared{Ready: in.To - len(c.trouble), Trouble: c.trouble}, nil
			}
			s := w.run(sub)
			require.Equal(t, c.result, s.Outcome.Result, s.Outcome.Why)
			if c.result == rollout.PhaseRefused {
				require.Contains(t, s.Outcome.Why, c.words)
				require.Equal(t, rollout.RefusedRelease, s.Outcome.Reason)
				require.Empty(t, w.applies)
				require.Zero(t, w.settled)
				require.Len(t, s.Outcome.Troubled, len(c.trouble), "each is named")
				require.Equal(t, c.trouble[0].ID, s.Outcome.Troubled[0].ID)
			}
		})
	}
}

// An abort while targets prepare changes nothing, and a release that is taken back never becomes
// good.
func TestPrepareAbortedOrHarmful(t *testing.T) {
	t.Run("abort", func(t *testing.T) {
		w := newWorld(t, 10)
		w.prepares = true
		w.preparer = func(activities.PrepareInput) (activities.Prepared, error) {
			w.env.SignalWorkflow(rollout.SignalAbort, rollout.ControlRequest{By: "ann", Why: "no"})
			return activities.Prepared{Ready: 10}, nil
		}
		s := w.run(fourStages())
		require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
		require.Empty(t, w.applies)
		require.Zero(t, w.settled)
	})
	t.Run("harm", func(t *testing.T) {
		w := newWorld(t, 10)
		w.prepares = true
		w.health = func(int, time.Duration) health.Verdict { return health.Fail }
		s := w.run(fourStages())
		require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result)
		require.Zero(t, w.settled)
	})
}

// A cancellation while targets are told that the release is good comes too late, too, and ends.
func TestCancelledWhileSettling(t *testing.T) {
	w := newWorld(t, 10)
	w.prepares = true
	w.settler = func(in activities.PrepareInput) (activities.Prepared, error) {
		w.env.CancelWorkflow()
		return activities.Prepared{Ready: in.To - in.From}, nil
	}
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 10, w.on("2.0.0"))
	require.Len(t, s.Controls, 1)
	require.Contains(t, s.Controls[0].Refused, "too late: every stage has passed")
}

// Once targets are told that the release is good, an abort comes too late and says so; a target
// that has not heard it is named, and does not undo the promotion.
func TestSettling(t *testing.T) {
	w := newWorld(t, 10)
	w.prepares = true
	w.settler = func(activities.PrepareInput) (activities.Prepared, error) {
		w.env.SignalWorkflow(rollout.SignalAbort, rollout.ControlRequest{By: "ann", Why: "late"})
		return activities.Prepared{Ready: 9, Trouble: []activities.Trouble{{ID: "t003", Reason: "no answer", Silent: true}}}, nil
	}
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, "all 10 targets run 2.0.0; 1 of them have not heard that it is good: t003 no answer", s.Outcome.Why)
	require.Equal(t, []rollout.TargetTrouble{{ID: "t003", Reason: "no answer"}}, s.Outcome.Troubled)
	require.Contains(t, s.Controls[0].Refused, "too late: every stage has passed")
	require.Equal(t, 10, w.on("2.0.0"))
}
