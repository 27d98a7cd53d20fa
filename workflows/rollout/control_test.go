package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// A pause stops the bake clock and promotion; a resume goes on where it stood.
func TestPauseStopsTheClock(t *testing.T) {
	w := newWorld(t, 10)
	w.at(30*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
	w.at(30*time.Minute, rollout.SignalResume, nil)
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	baked := s.Stages[0].DoneAt.Sub(s.Stages[0].AppliedAt)
	require.InDelta(t, (29*time.Minute + 30*time.Second + time.Minute).Seconds(), baked.Seconds(), 2)
}

// A pause does not stop the watching.
func TestHarmDuringAPause(t *testing.T) {
	w := newWorld(t, 10)
	w.at(30*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
	w.fails(func(_ int, since time.Duration) bool { return since > 10*time.Minute })
	s := w.run(fourStages())
	require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result)
	require.Equal(t, 10, w.on("1.0.0"))
}

// A stage that needs approval waits for it, and is watched meanwhile.
func TestApproval(t *testing.T) {
	for _, harm := range []bool{false, true} {
		w := newWorld(t, 20)
		s := fourStages()
		s.Stages[2].Approval = spec.ApprovalRequired
		if harm {
			w.fails(func(i int, since time.Duration) bool { return i == 1 && since > 20*time.Minute })
		}
		w.at(5*time.Minute, rollout.SignalApprove, rollout.ControlRequest{By: "bob", Stage: "nowhere"})
		w.at(time.Hour, rollout.SignalApprove, rollout.ControlRequest{By: "ann"})
		out := w.run(s)
		require.NotEmpty(t, out.Controls[0].Refused)
		if harm {
			require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
			continue
		}
		require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
		require.Equal(t, "ann", out.Stages[2].ApprovedBy.By)
		require.Equal(t, time.Hour, out.Stages[2].StartedAt.Sub(out.StartedAt).Round(time.Second))
	}
}

// The first stage's approval is waited for before anything is touched.
func TestApprovalOfTheFirstStage(t *testing.T) {
	w := newWorld(t, 20)
	s := fourStages()
	s.Stages[0].Approval = spec.ApprovalRequired
	w.at(time.Hour, rollout.SignalAbort, nil)
	out := w.run(s)
	require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
	require.Empty(t, w.applies)
}

// An abort takes back whatever phase it comes in, whatever is in its payload.
func TestAbort(t *testing.T) {
	payloads := []any{nil, rollout.ControlRequest{By: "ann", Why: "wrong build"}, "wrong build", 42, []string{"x"}, map[string]any{"by": 7}}
	for i, payload := range payloads {
		w := newWorld(t, 100)
		w.at(time.Duration(20*i)*time.Second+500*time.Millisecond, rollout.SignalAbort, payload)
		s := w.run(fourStages())
		require.Equal(t, rollout.PhaseAborted, s.Outcome.Result, "%v", payload)
		require.Equal(t, 100, w.on("1.0.0"))
		require.Empty(t, s.Outcome.Recovered)
	}
}

// Cancelling the workflow is an abort.
func TestCancellationIsAnAbort(t *testing.T) {
	w := newWorld(t, 100)
	w.do(90*time.Second, w.env.CancelWorkflow)
	s := w.run(fourStages())
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
	require.Equal(t, 100, w.on("1.0.0"))
}

// A promote ends the bake early; it needs a name and a reason, and never passes a FAIL unless it
// says so.
func TestPromote(t *testing.T) {
	t.Run("ends the bake", func(t *testing.T) {
		w := newWorld(t, 10)
		w.at(5*time.Second, rollout.SignalPromote, nil)
		w.at(10*time.Second, rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "urgent"})
		s := w.run(fourStages())
		require.Equal(t, rollout.PhasePromoted, s.Outcome.Result)
		require.Contains(t, s.Controls[0].Refused, "needs a name and a reason")
		require.InDelta(t, 10, s.Stages[0].DoneAt.Sub(s.StartedAt).Seconds(), 1)
		require.Equal(t, time.Minute, s.Stages[1].DoneAt.Sub(s.Stages[1].AppliedAt).Round(time.Second), "only the stage it was sent to")
	})
	for _, override := range []bool{false, true} {
		t.Run("against a fail", func(t *testing.T) {
			w := newWorld(t, 10)
			w.health = func(i int, since time.Duration) health.Verdict {
				switch {
				case i > 0:
					return health.Pass
				case since < 61*time.Second:
					return health.NoData
				}
				return health.Fail
			}
			w.at(30*time.Second, rollout.SignalPause, nil)
			w.at(31*time.Second, rollout.SignalResume, nil)
			w.do(40*time.Second, func() {
				w.fails(func(i int, _ time.Duration) bool { return i == 0 })
				w.env.SignalWorkflow(rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "known", Override: override})
			})
			s := w.run(fourStages())
			if !override {
				require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result)
				return
			}
			require.Equal(t, rollout.PhasePromoted, s.Outcome.Result)
			require.True(t, s.Stages[0].Gates[0].Override.Override)
		})
	}
}

// A promote for a stage that has passed meanwhile leaves the next one's bake alone.
func TestPromoteForAnotherStage(t *testing.T) {
	w := newWorld(t, 10)
	w.at(70*time.Second, rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "looks good", Stage: "canary"})
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result)
	require.Equal(t, "it is for stage canary, and the current stage is early", s.Controls[0].Refused)
	require.Equal(t, time.Minute, s.Stages[1].DoneAt.Sub(s.Stages[1].AppliedAt).Round(time.Second))
}

// An abort wins over what comes with it, and the other is told.
func TestAbortWins(t *testing.T) {
	w := newWorld(t, 10)
	w.do(30*time.Second, func() {
		w.env.SignalWorkflow(rollout.SignalAbort, nil)
		w.env.SignalWorkflow(rollout.SignalPromote, rollout.ControlRequest{By: "bob", Why: "go"})
	})
	s := w.run(fourStages())
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
	require.Contains(t, s.Controls[1].Refused, "too late")
}

// Thousands of signals are harmless, and only the last are remembered.
func TestManySignals(t *testing.T) {
	w := newWorld(t, 10)
	w.do(30*time.Second, func() {
		for range 1000 {
			w.env.SignalWorkflow(rollout.SignalResume, strings.Repeat("x", 5000))
		}
	})
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result)
	require.Len(t, s.Controls, rollout.MaxControls)
	require.Less(t, len(s.Controls[0].Why), 600)
}
