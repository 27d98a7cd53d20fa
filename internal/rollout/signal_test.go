package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every signal is complete, and an abort is applied before all that came with it.
func TestSignals(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Signals() {
		require.False(t, seen[s.Name], s.Name)
		seen[s.Name] = true
		for _, text := range []string{s.Name, s.Short, s.Long, s.Example, s.Effect} {
			require.NotEmpty(t, text, s.Name)
		}
		require.NotNil(t, s.Apply, s.Name)
	}
	require.Equal(t, SignalAbort, Signals()[0].Name)
}

// A signal that is refused changes nothing but the list of signals.
func TestRefusals(t *testing.T) {
	baking := State{Phase: PhaseBake, Stages: []StageState{{Name: "canary"}, {Name: "everyone", Approval: "required"}}}
	paused, locked := baking, baking
	paused.Paused = &Control{By: "ann"}
	noon := time.Date(2026, 1, 1, 12, 0, 0, 123, time.UTC)
	paused.Paused.At = noon
	locked.Phase, locked.Outcome = PhaseLocked, &Outcome{Result: PhaseIncomplete, EndedAt: noon}
	retried, given := locked, locked
	retried.RetryRollback, given.GaveUp = &Control{By: "ann"}, &Control{By: "ann"}
	back, verifying, ended, promoted := baking, baking, baking, baking
	back.Phase, verifying.Phase, promoted.Promotion = PhaseRollback, PhaseVerify, &Control{By: "ann"}
	old := back
	old.Lenient = true
	ended.Phase, ended.Outcome = PhaseRolledBack, &Outcome{Result: PhaseRolledBack}
	aborted := baking
	aborted.Aborted = &Control{By: "eve"}
	signed := ControlRequest{By: "ann", Why: "seen by hand"}
	for _, tc := range []struct {
		state  State
		signal string
		req    ControlRequest
		want   string
	}{
		{baking, SignalAbort, ControlRequest{}, ""},
		{baking, SignalPause, ControlRequest{}, ""},
		{paused, SignalPause, ControlRequest{}, "already paused by ann"},
		{paused, SignalResume, ControlRequest{}, ""},
		{baking, SignalResume, ControlRequest{}, "not paused"},
		{baking, SignalPromote, signed, ""},
		{baking, SignalPromote, ControlRequest{By: "ann"}, "a name and a reason"},
		{baking, SignalPromote, ControlRequest{By: "ann", Why: "…"}, "a name and a reason"},
		{paused, SignalPromote, signed, "resume it first"},
		{baking, SignalPromote, ControlRequest{By: "ann", Why: "go", Stage: "everyone"}, "the current stage is canary"},
		{baking, SignalApprove, ControlRequest{}, "no stage waits"},
		{baking, SignalApprove, ControlRequest{Stage: "everyone"}, ""},
		{baking, SignalApprove, ControlRequest{Stage: "canary"}, "needs approval"},
		{baking, SignalGiveUp, signed, "does not roll back: it is baking"},
		{back, SignalGiveUp, signed, ""},
		{back, SignalGiveUp, ControlRequest{By: "ann"}, "a name and a reason"},
		{verifying, SignalGiveUp, signed, ""},
		{aborted, SignalGiveUp, signed, ""},
		{given, SignalGiveUp, signed, "given up by ann already"},
		{ended, SignalGiveUp, signed, "does not roll back: it is rolled-back"},
		{old, SignalGiveUp, signed, "no incomplete rollback"},
		{back, SignalRetry, signed, "no incomplete rollback"},
		{retried, SignalRetry, signed, "asked for by ann already"},
		{locked, SignalRetry, ControlRequest{Since: noon}, ""},
		{locked, SignalRetry, ControlRequest{Since: noon.Add(-time.Hour)}, "has been tried again since"},
		{paused, SignalResume, ControlRequest{Since: noon}, ""},
		{paused, SignalResume, ControlRequest{Since: noon.Truncate(time.Second)}, ""},
		{paused, SignalResume, ControlRequest{Since: noon.Add(-time.Hour)}, "for an earlier pause, and ann has paused again"},
		{promoted, SignalPromote, signed, "promoted by ann already"},
		{promoted, SignalPromote, ControlRequest{By: "bob", Why: "known", Override: true}, ""},
		{locked, SignalGiveUp, signed, ""},
		{locked, SignalGiveUp, ControlRequest{}, "a name and a reason"},
		{locked, SignalRetry, ControlRequest{}, ""},
		{given, SignalRetry, ControlRequest{}, "no incomplete rollback"},
		{locked, SignalAbort, ControlRequest{}, "too late: the rollout is locked"},
		{aborted, SignalAbort, ControlRequest{}, "too late: the rollout was aborted"},
	} {
		for _, s := range Signals() {
			if s.Name != tc.signal {
				continue
			}
			after := tc.state
			after.Stages = append([]StageState(nil), tc.state.Stages...)
			if o := tc.state.Outcome; o != nil {
				outcome := *o
				after.Outcome = &outcome
			}
			c := s.Receive(&after, tc.req, time.Time{})
			require.Equal(t, []Control{c}, after.Controls)
			if tc.want == "" {
				require.Empty(t, c.Refused, "%+v", tc)
				after.Controls = nil
				require.NotEqual(t, tc.state, after, "%+v", tc)
				continue
			}
			require.Contains(t, c.Refused, tc.want)
			after.Controls = nil
			require.Equal(t, tc.state, after)
		}
	}
}
