package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A phase began when it was entered first, whatever is said of it later.
func TestSince(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	var s State
	s.Enter(PhaseBake, "a", at(1))
	s.Enter(PhaseBake, "b", at(2))
	require.Equal(t, []any{at(1), "b"}, []any{s.Since, s.Why})
	s.Enter(PhaseHold, "c", at(3))
	require.Equal(t, at(3), s.Since)
}

// A rollout that was approved waits for nobody from that moment on.
func TestApprovedWaitsNoMore(t *testing.T) {
	for applied, want := range map[time.Time]Phase{time.Unix(5, 0): PhaseBake, {}: PhasePreflight} {
		s := State{Phase: PhaseApproval, Stages: []StageState{
			{Name: "canary", StartedAt: applied, AppliedAt: applied, Approval: "required"}, {Name: "half", Approval: "required"},
		}}
		if want == PhaseBake {
			s.Stages[0].ApprovedBy = &Control{}
		}
		require.GreaterOrEqual(t, s.Awaited(), 0)
		waits := s.Stages[s.Awaited()].Name
		c := approve.Receive(&s, ControlRequest{By: "bob"}, time.Unix(9, 0))
		require.Empty(t, c.Refused)
		require.Equal(t, want, s.Phase)
		require.Equal(t, waits+" was approved by bob: a last look before it begins", s.Why)
		require.Equal(t, -1, s.Awaited())
		require.NotEmpty(t, approve.Receive(&s, ControlRequest{By: "eve"}, time.Unix(9, 0)).Refused)
	}
}
