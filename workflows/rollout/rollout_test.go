package rollout

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// A good release reaches everybody, one gate a stage, and takes as long as its bakes.
func TestGoodReleaseIsPromoted(t *testing.T) {
	w := newWorld(t, 100)
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 100, w.on("2.0.0"))
	require.Equal(t, 4, w.gates)
	require.Equal(t, 4, w.watches)
	require.Equal(t, 100, s.Exposed)
	require.Equal(t, 4*time.Minute, s.Outcome.EndedAt.Sub(s.StartedAt).Round(time.Second))
}

// Harm in any stage is taken back, and later stages are never touched.
func TestHarmIsTakenBack(t *testing.T) {
	for stage, exposed := range []int{1, 20, 50, 100} {
		w := newWorld(t, 100)
		w.fails(func(i int, since time.Duration) bool { return i == stage && since > 20*time.Second })
		s := w.run(fourStages())
		require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result)
		require.Equal(t, exposed, s.Outcome.Touched)
		require.Equal(t, exposed, s.Outcome.Reverted)
		require.Empty(t, s.Outcome.NotReverted)
		require.Equal(t, 100, w.on("1.0.0"))
		require.Equal(t, 0, s.Exposed)
		require.Equal(t, "yes", s.Outcome.Recovered)
		require.Equal(t, s.Stages[stage].Name, s.Outcome.Stage)
		require.Equal(t, rollout.RollBack, s.Stages[stage].Gates[0].Decision)
		require.Less(t, s.Outcome.EndedAt.Sub(s.Stages[stage].AppliedAt), 25*time.Second, "the watch returns early")
	}
}

// Health that turns bad in the last second is seen by the gate.
func TestHarmAtTheLastMoment(t *testing.T) {
	w := newWorld(t, 20)
	w.fails(func(_ int, since time.Duration) bool { return since >= time.Minute })
	require.Equal(t, rollout.PhaseRolledBack, w.run(fourStages()).Outcome.Result)
}

// No verdict is never a promotion: the gate holds, and then goes back.
func TestNoVerdictNeverPromotes(t *testing.T) {
	for _, v := range []health.Verdict{health.NoData, health.Stale, health.Unexercised, "WHATEVER", ""} {
		w := newWorld(t, 100)
		w.health = func(int, time.Duration) health.Verdict { return v }
		s := w.run(fourStages())
		require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, v)
		require.Equal(t, 1, s.Outcome.Touched)
		require.Equal(t, 2*time.Minute, s.Outcome.EndedAt.Sub(s.Stages[0].AppliedAt).Round(time.Second), "bake and decideWithin")
	}
}

// A verdict that comes during the hold promotes at once.
func TestHoldEndsWithAVerdict(t *testing.T) {
	w := newWorld(t, 10)
	w.says(health.Unexercised, func(_ int, since time.Duration) bool { return since < 80*time.Second })
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result)
	require.Equal(t, rollout.Hold, s.Stages[0].Gates[0].Decision)
	require.Equal(t, rollout.Promote, s.Stages[0].Gates[1].Decision)
}

// undecided: wait holds until a person decides.
func TestUndecidedWaitsForAPerson(t *testing.T) {
	for _, signal := range []string{rollout.SignalPromote, rollout.SignalAbort} {
		w := newWorld(t, 10)
		w.says(health.NoData, func(i int, _ time.Duration) bool { return i == 0 })
		s := fourStages()
		s.Stages[0].Undecided = spec.UndecidedWait
		w.at(5*time.Hour, signal, rollout.ControlRequest{By: "ann", Why: "seen by hand"})
		out := w.run(s)
		if signal == rollout.SignalAbort {
			require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
			continue
		}
		require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
		gates := out.Stages[0].Gates
		require.Equal(t, "ann", gates[len(gates)-1].Override.By)
	}
}

// A target that refuses stops the stage and takes it back. Where nothing was changed before, the
// release is refused, once all targets are seen to run what they ran.
func TestRefusedApply(t *testing.T) {
	for name, test := range map[string]struct {
		broken func(i int) bool // by the order of the plan; the canary has five
		also   func(w *world)
		result rollout.Phase
		reason string
		words  string
	}{
		"all": {func(int) bool { return true }, nil, rollout.PhaseRefused, rollout.RefusedRelease, "all targets that were asked to take it run what they ran before"},
		"the third, after two took it": {
			func(i int) bool { return i == 2 }, nil, rollout.PhaseRolledBack, "", "refused by target",
		},
		"one of the next stage": {func(i int) bool { return i == 7 }, nil, rollout.PhaseRolledBack, "", "refused by target"},
		"all, and one that is not seen to run what it ran": {
			func(int) bool { return true }, func(w *world) { w.stuck[w.plan.Order[1].ID] = true }, rollout.PhaseIncomplete, "", "refused by target",
		},
		"all that are not on the release": {
			func(int) bool { return true }, func(w *world) { w.releases[w.plan.Order[0].ID] = "2.0.0" }, rollout.PhaseRefused, rollout.RefusedRelease,
			"all targets that were asked to take it run what they ran before",
		},
		"all, and one of a later stage is silent": {
			func(int) bool { return true }, func(w *world) { w.away[w.plan.Order[50].ID] = true }, rollout.PhaseRefused, rollout.RefusedRelease,
			"all targets that were asked to take it run what they ran before",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 100)
			s := fourStages()
			s.Stages[0].Count = new(5)
			p, err := plan.New(s, w.fleet, spec.Kinds{})
			require.NoError(t, err)
			for i, target := range p.Order {
				w.broken[target.ID] = test.broken(i)
			}
			if w.plan = p; test.also != nil {
				test.also(w)
			}
			before := maps.Clone(w.releases)
			out := w.run(s)
			require.Equal(t, test.result, out.Outcome.Result, out.Outcome.Why)
			require.Equal(t, test.reason, out.Outcome.Reason)
			require.Contains(t, out.Outcome.Why, test.words)
			require.Equal(t, test.result == rollout.PhaseRefused, out.Outcome.Touched == 0)
			require.Equal(t, before, w.releases)
		})
	}
}

// A release that does not validate changes nothing.
func TestInvalidReleaseIsRefused(t *testing.T) {
	w := newWorld(t, 100)
	w.refused = []activities.Trouble{{ID: "t001", Reason: "haproxy: parsing failed"}}
	s := w.run(fourStages())
	require.Equal(t, rollout.PhaseRefused, s.Outcome.Result)
	require.Empty(t, w.applies)
	require.Contains(t, s.Outcome.Why, "parsing failed")
}

// What cannot be reverted is named, and the rollout is not called rolled back.
func TestUnrevertedTargetsAreNamed(t *testing.T) {
	w := newWorld(t, 100)
	w.health = func(i int, _ time.Duration) health.Verdict {
		if i == 1 {
			for _, t := range w.plan.Order[:4] {
				w.stuck[t.ID] = true
			}
			return health.Fail
		}
		return health.Pass
	}
	s := w.run(fourStages())
	require.Equal(t, rollout.PhaseIncomplete, s.Outcome.Result)
	require.Len(t, s.Outcome.NotReverted, 4)
	require.Equal(t, 16, s.Outcome.Reverted)
	require.Equal(t, 4, w.on("2.0.0"))
}

// A rollback that does not cure says so.
func TestRollbackThatDoesNotCure(t *testing.T) {
	w := newWorld(t, 10)
	w.health = func(int, time.Duration) health.Verdict { return health.Fail }
	w.recovers = health.Fail
	s := w.run(fourStages())
	require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result)
	require.Equal(t, "no", s.Outcome.Recovered)
	require.Contains(t, s.Outcome.Why, "DID NOT CURE")
}

// The check that condemned the release tells whether the rollback has cured, also where others have
// too little to judge by after it.
func TestTheCheckThatCondemnedTellsTheCure(t *testing.T) {
	w := newWorld(t, 10)
	w.health = func(int, time.Duration) health.Verdict { return health.Fail }
	var asked activities.RecoverInput
	w.recovering = func(in activities.RecoverInput) health.Report {
		asked = in
		r := w.report(health.Pass)
		r.Results = append(r.Results, health.Result{Check: "traffic", Verdict: health.Unexercised, Sentence: "too short to tell"})
		return r
	}
	s := w.run(fourStages())
	require.Equal(t, []health.Condemned{{Check: "errors"}}, asked.Condemned)
	require.Equal(t, rollout.RecoveredYes, s.Outcome.Recovered)
	require.Equal(t, []string{"errors"}, s.Outcome.Condemned)
	require.Equal(t, "errors recovered after the rollback", s.Outcome.RecoveredWord())
}

// The page in the Web UI says until when a stage bakes, and no such time while that stands still.
func TestPageSaysUntilWhen(t *testing.T) {
	w := newWorld(t, 10)
	var about sdkpb.WorkflowMetadata
	page := func() string {
		answer, err := w.env.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		require.NoError(t, answer.Get(&about))
		return about.GetCurrentDetails()
	}
	var bakes, stands, goesOn string
	w.do(20*time.Second, func() { bakes = page() })
	w.at(30*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "ana", Why: "looking"})
	w.do(40*time.Second, func() { stands = page() })
	w.at(50*time.Second, rollout.SignalResume, nil)
	w.do(55*time.Second, func() { goesOn = page() })
	w.run(fourStages())
	require.Contains(t, bakes, ", until ")
	require.Contains(t, stands, "**Paused** by ana")
	require.NotContains(t, stands, ", until ")
	require.Contains(t, goesOn, ", until ")
	for _, s := range about.GetDefinition().GetSignalDefinitions() {
		reason := s.GetName() == rollout.SignalPromote || s.GetName() == rollout.SignalGiveUp
		require.Equal(t, reason, strings.Contains(s.GetDescription(), `needs {"by": `), s.GetName())
	}
	require.Len(t, about.GetDefinition().GetSignalDefinitions(), len(rollout.Signals()))
}

// Targets that ran the release before are not changed, and go back with the others.
func TestTargetsFoundOnTheRelease(t *testing.T) {
	w := newWorld(t, 10)
	for _, id := range []string{"t000", "t005"} {
		w.releases[id] = "2.0.0"
	}
	w.fails(func(i int, _ time.Duration) bool { return i == 3 })
	s := fourStages()
	s.Stages[1].Reach.Percent = 40
	out := w.run(s)
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
	require.Equal(t, 10, out.Outcome.Touched)
	require.Equal(t, 10, w.on("1.0.0"))
	for _, a := range w.applies {
		require.True(t, a.release == "1.0.0" || a.id != "t000" && a.id != "t005")
	}
}
