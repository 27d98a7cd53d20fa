package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// adaptive is a rollout in which every stage may be left after ten seconds.
func adaptive() spec.Spec {
	s := fourStages()
	for i := range s.Stages {
		s.Stages[i].Adaptive = &spec.Adaptive{Min: spec.Duration(10 * time.Second), Enough: 2, Risk: 0.05}
	}
	return s
}

// A bake ends as soon as enough was shown, but not before its least time.
func TestAdaptiveBakeEndsEarly(t *testing.T) {
	w := newWorld(t, 100)
	w.shown = true
	s := w.run(adaptive())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	took := s.Outcome.EndedAt.Sub(s.StartedAt).Round(time.Second)
	require.GreaterOrEqual(t, took, 40*time.Second)
	require.LessOrEqual(t, took, 48*time.Second)
	require.Equal(t, 4, w.gates, "the gate decides all the same")
	require.Contains(t, s.Stages[0].Gates[0].Why, "of at most 1m: shown to be less than 2x worse")
}

// What passes without having shown anything bakes for as long as it may.
func TestAdaptiveBakeWithoutEnough(t *testing.T) {
	w := newWorld(t, 100)
	s := w.run(adaptive())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 4*time.Minute, s.Outcome.EndedAt.Sub(s.StartedAt).Round(time.Second))
	require.NotContains(t, s.Stages[0].Gates[0].Why, "shown")
}

// A person who ends a bake early has shown nothing.
func TestAPersonEndsAnAdaptiveBake(t *testing.T) {
	w := newWorld(t, 100)
	w.at(20*time.Second, rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "urgent"})
	s := w.run(adaptive())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Less(t, s.Stages[0].DoneAt.Sub(s.Stages[0].StartedAt), time.Minute)
	require.NotContains(t, s.Stages[0].Gates[0].Why, "shown")
}

// Nothing that was shown ends a bake that does not pass, or one of a fixed length.
func TestShownIsNotEnough(t *testing.T) {
	w := newWorld(t, 100)
	w.shown = true
	require.Equal(t, 4*time.Minute, func() time.Duration {
		s := w.run(fourStages())
		return s.Outcome.EndedAt.Sub(s.StartedAt).Round(time.Second)
	}())
	w = newWorld(t, 100)
	w.shown = true
	w.says(health.NoData, func(stage int, _ time.Duration) bool { return stage == 1 })
	s := w.run(adaptive())
	require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result)
	require.Equal(t, 20, s.Outcome.Touched)
}
