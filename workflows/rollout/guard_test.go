package rollout

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

func guarded(d time.Duration) spec.Spec {
	s := fourStages()
	s.Guard = spec.Duration(d)
	return s
}

// After the last stage the release is watched on, more slowly, and then it is good.
func TestGuardEnds(t *testing.T) {
	w := newWorld(t, 20)
	w.prepares = true
	var every []time.Duration
	watch := w.watcher
	w.watcher = func(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
		every = append(every, in.Every)
		return watch(ctx, in)
	}
	w.settler = func(in activities.PrepareInput) (activities.Prepared, error) {
		require.GreaterOrEqual(t, w.env.Now().Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), 24*time.Hour, "good once the guard is over")
		return activities.Prepared{Ready: in.To - in.From}, nil
	}
	s := w.run(guarded(24 * time.Hour))
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, "all 20 targets run 2.0.0; guarded for 24h", s.Outcome.Why)
	require.Len(t, every, 5)
	require.Zero(t, every[3])
	require.Equal(t, time.Minute, every[4])
	require.Equal(t, 4, w.gates, "a guard has no gate")
}

// Harm after days takes everything back, and so does an abort.
func TestGuardGoesBack(t *testing.T) {
	t.Run("harm", func(t *testing.T) {
		w := newWorld(t, 20)
		w.prepares = true
		w.fails(func(i int, since time.Duration) bool { return i == 3 && since > 50*time.Hour })
		s := w.run(guarded(72 * time.Hour))
		require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, s.Outcome.Why)
		require.Equal(t, 20, w.on("1.0.0"))
		require.Equal(t, 20, s.Outcome.Reverted)
		require.Zero(t, w.settled)
	})
	t.Run("abort", func(t *testing.T) {
		w := newWorld(t, 20)
		w.env.RegisterDelayedCallback(func() {
			w.env.SignalWorkflow(rollout.SignalAbort, rollout.ControlRequest{By: "ann", Why: "no"})
		}, 10*time.Hour)
		s := w.run(guarded(72 * time.Hour))
		require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
		require.Equal(t, 20, w.on("1.0.0"))
	})
}

// A person, or the unit's next rollout, ends a guard; before it there is none to end.
func TestGuardIsSettled(t *testing.T) {
	w := newWorld(t, 20)
	for _, at := range []time.Duration{time.Minute, 10 * time.Hour} {
		w.env.RegisterDelayedCallback(func() {
			w.env.SignalWorkflow(rollout.SignalSettle, rollout.ControlRequest{By: "ann", Why: "next"})
		}, at)
	}
	s := w.run(guarded(72 * time.Hour))
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result)
	require.Equal(t, "all 20 targets run 2.0.0; guarded for 9h56m, until ann settled it", s.Outcome.Why)
	require.Contains(t, s.Controls[0].Refused, "no guard goes on: the rollout is baking")
	require.Empty(t, s.Controls[1].Refused)
}

// A guard goes on in a new run with the time that is left.
func TestGuardContinuesAsNew(t *testing.T) {
	w := newWorld(t, 20)
	began := w.env.Now()
	w.env.RegisterDelayedCallback(func() {
		w.env.SetContinueAsNewSuggested(true)
		w.env.SignalWorkflow(rollout.SignalPause, rollout.ControlRequest{By: "ann"})
		w.env.SignalWorkflow(rollout.SignalResume, rollout.ControlRequest{By: "ann"})
	}, 30*time.Hour)
	s := w.run(guarded(72 * time.Hour))
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 2, w.runs, "there was a second run")
	require.InDelta(t, 72, s.Outcome.EndedAt.Sub(began).Hours(), 0.2)
}

// Sources that are away do not end a guard, and the outcome says so.
func TestGuardWithoutData(t *testing.T) {
	w := newWorld(t, 20)
	w.says(health.NoData, func(i int, since time.Duration) bool { return i == 3 && since > 2*time.Hour })
	s := w.run(guarded(24 * time.Hour))
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result)
	require.Contains(t, s.Outcome.Why, "guarded for 24h, and the last look had no data")
}

// A run that begins with a sweep that finds nobody has judged nothing itself, and guards all the
// same.
func TestGuardAfterAnEmptySweep(t *testing.T) {
	w := newWorld(t, 20)
	s := guarded(24 * time.Hour)
	s.Stages[3].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Targets: 1}}
	late := ""
	gate := w.gater
	w.gater = func(ctx context.Context, in activities.GateInput) (activities.StageReport, error) {
		if late == "" {
			late = w.plan.Order[19].ID
			w.away[late] = true
		}
		if in.Stage == 3 && in.Stragglers == nil {
			w.away[late] = false
			w.env.SetContinueAsNewSuggested(true)
		}
		return gate(ctx, in)
	}
	w.carried = func(c *Carried) {
		require.Nil(t, c.Suspended)
		w.away[late] = true
	}
	began := w.env.Now()
	out := w.run(s)
	require.Equal(t, 2, w.runs)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
	require.Contains(t, out.Outcome.Why, "guarded for 24h")
	require.Greater(t, out.Outcome.EndedAt.Sub(began), 24*time.Hour)
}

// What a person has let pass at the last gate is not taken back by the guard; another check that
// fails is.
func TestGuardAfterAnOverride(t *testing.T) {
	for name, c := range map[string]struct {
		other  bool
		result rollout.Phase
	}{"the same check": {false, rollout.PhasePromoted}, "another one": {true, rollout.PhaseRolledBack}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			w.fails(func(i int, since time.Duration) bool { return i == 3 && since > 35*time.Second })
			w.check = func(since time.Duration) string {
				if c.other && since > 5*time.Hour {
					return "latency"
				}
				return "errors"
			}
			gate := w.gater
			w.gater = func(ctx context.Context, in activities.GateInput) (activities.StageReport, error) {
				if in.Stage == 3 {
					return activities.StageReport{Report: health.Report{Results: []health.Result{{Check: "errors", Verdict: health.Fail}}}}, nil
				}
				return gate(ctx, in)
			}
			w.at(3*time.Minute+30*time.Second, rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "known", Override: true})
			s := w.run(guarded(24 * time.Hour))
			require.Equal(t, c.result, s.Outcome.Result, s.Outcome.Why)
		})
	}
}
