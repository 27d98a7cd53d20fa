package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// moments are states in which signals arrive.
func moments() map[string]State {
	out := map[string]State{}
	for _, p := range []Phase{
		PhasePlanning, PhasePreflight, PhaseApproval, PhaseObserve, PhaseApply, PhaseBake, PhaseGate, PhaseHold,
		PhaseRollback, PhaseVerify, PhaseLocked, PhasePromoted,
	} {
		s := State{Phase: p, Stages: []StageState{
			{Name: "canary", StartedAt: time.Unix(1, 0)}, {Name: "half", Approval: "required"}, {Name: "everyone", Approval: "required"},
		}}
		if p == PhaseLocked || p == PhasePromoted {
			s.Outcome = &Outcome{EndedAt: time.Unix(2, 0)}
		}
		out[string(p)] = s
		s.Paused = &Control{By: "eve", At: time.Unix(3, 0)}
		out[string(p)+", paused"] = s
	}
	return out
}

// toy is a signal that nothing else knows of, and that counts.
var toy = Signal{Name: "toy", Apply: func(s *State, _ Control) { s.Targets++ }}

// Whatever arrives in whatever phase, a second one with its id does nothing and is noted as a
// repeat, also after other signals, and also one that was refused.
func TestASignalWithAnIDActsOnce(t *testing.T) {
	for name, s := range moments() {
		for _, signal := range append(Signals(), toy) {
			req := ControlRequest{By: "ann", Why: "as the test says", ID: strings.Repeat("long ", 100)}
			s := s
			s.Stages = slices.Clone(s.Stages)
			first := signal.Receive(&s, req, time.Unix(10, 0))
			for _, other := range Signals() { // the same id of another kind is another signal
				if c := other.Receive(&s, req, time.Unix(11, 0)); other.Name != signal.Name {
					require.NotContains(t, c.Refused, "a repeat", "%s: %s after %s", name, other.Name, signal.Name)
				}
			}
			s.Paused, s.Phase, s.Stage = &Control{By: "bob"}, PhaseApproval, 1 // it would be taken now
			before, stages := s, slices.Clone(s.Stages)
			again := signal.Receive(&s, req, time.Unix(12, 0))
			require.Contains(t, again.Refused, "a repeat", "%s: %s", name, signal.Name)
			require.Equal(t, first.ID, again.ID)
			before.Controls, before.Stages = s.Controls, stages
			require.Equal(t, before, s, "%s: %s", name, signal.Name)
		}
	}
}

// A bare one, as from the Web UI, acts once on what waits: what arrives together with it does not
// act on what comes next.
func TestABareSignalActsOncePerWait(t *testing.T) {
	for name, s := range moments() {
		for _, signal := range Signals() {
			s := s
			s.Stages = slices.Clone(s.Stages)
			req := ControlRequest{By: "ann", Why: "as the test says"}
			signal.Receive(&s, req, time.Unix(10, 0))
			again := signal.Receive(&s, req, time.Unix(11, 0))
			require.NotEmpty(t, again.Refused, "%s: %s", name, signal.Name)
		}
	}
}

// What a command sends says what it means: what its sender saw, and not what comes next.
func TestAimed(t *testing.T) {
	m := moments()
	for name, tc := range map[string]struct {
		moment string
		signal Signal
		given  ControlRequest
		want   ControlRequest
	}{
		"pause":            {"baking", pause, ControlRequest{}, ControlRequest{Stage: "canary"}},
		"abort":            {"baking", abort, ControlRequest{}, ControlRequest{Stage: "canary"}},
		"promote":          {"baking", promote, ControlRequest{}, ControlRequest{Stage: "canary"}},
		"promote by name":  {"baking", promote, ControlRequest{Stage: "half"}, ControlRequest{Stage: "half"}},
		"approve":          {"waiting-for-approval", approve, ControlRequest{}, ControlRequest{Stage: "half"}},
		"approve by name":  {"waiting-for-approval", approve, ControlRequest{Stage: "everyone"}, ControlRequest{Stage: "everyone"}},
		"approve too soon": {"baking", approve, ControlRequest{}, ControlRequest{}},
		"resume":           {"baking, paused", resume, ControlRequest{}, ControlRequest{Stage: "canary", Since: time.Unix(3, 0)}},
		"retry":            {"locked", retryRollback, ControlRequest{}, ControlRequest{Stage: "canary", Since: time.Unix(2, 0)}},
		"give up":          {"locked", giveUp, ControlRequest{}, ControlRequest{Stage: "canary"}},
		"a toy":            {"holding", toy, ControlRequest{}, ControlRequest{Stage: "canary"}},
	} {
		require.Equal(t, tc.want, tc.signal.Aimed(m[tc.moment], tc.given), name)
	}
}

// The memory of ids is bounded, nobody is shown it, and it holds the newest.
func TestMemoryOfIDsIsBounded(t *testing.T) {
	var s State
	for i := range 3 * maxReceived {
		toy.Receive(&s, ControlRequest{ID: fmt.Sprint(i)}, time.Time{})
	}
	require.Len(t, s.Received, maxReceived)
	require.Less(t, JSONSize(s.Received), 20<<10)
	require.NotEmpty(t, toy.Receive(&s, ControlRequest{ID: fmt.Sprint(2*maxReceived + 1)}, time.Time{}).Refused)
	require.Empty(t, TrimToPayload(s).Received)
}
