package rollout

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

func lastGateOf(s rollout.StageState) rollout.Gate { return s.Gates[len(s.Gates)-1] }

// frozen is a watch that looks as ever, but sees nothing between two times after the apply of the
// first stage: its process stands still, is starved, or is away.
func (w *world) frozen(from, to time.Duration) {
	w.watcher = func(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
		began := w.env.Now()
		watch := func(until time.Time) (at time.Time, seen activities.StageReport) {
			at, seen = began, activities.StageReport{Watched: in.Watched}
			for {
				next := at.Add(time.Second)
				if since := next.Sub(in.Since); in.Stage == 0 && since > from && since < to {
					next = in.Since.Add(to)
				}
				if next.After(until) && until.Before(in.Until) {
					return at, seen
				}
				at = next
				r := w.report(w.health(in.Stage, at.Sub(in.Since))).MidBake(false)
				r.At = at
				seen = activities.StageReport{Report: r, Watched: seen.Watched.Look(at, r.Saw(), lookPace)}
				if in.Ends(seen) || !at.Before(in.Until) {
					return at, seen
				}
			}
		}
		w.whenCancelled(func() activities.StageReport {
			_, seen := watch(w.env.Now())
			return seen
		})
		at, seen := watch(in.Until)
		token := activity.GetInfo(ctx).TaskToken
		w.env.RegisterDelayedCallback(func() { _ = w.env.CompleteActivity(token, seen, nil) }, at.Sub(w.env.Now()))
		return activities.StageReport{}, activity.ErrResultPending
	}
}

// What nobody watched of a bake is no bake: it goes on for as long, and the gate says so.
func TestBakeThatNobodyWatched(t *testing.T) {
	for name, tt := range map[string]struct {
		from, to time.Duration // nobody watched in between, of a bake of a minute
		baked    time.Duration
		watched  string
	}{
		"all of it watched":            {baked: time.Minute, watched: "watched 1m of 1m"},
		"a blink":                      {from: 20 * time.Second, to: 24 * time.Second, baked: time.Minute, watched: "watched 56s of 1m"},
		"the middle":                   {from: 10 * time.Second, to: 50 * time.Second, baked: 100 * time.Second, watched: "watched 1m of 1m"},
		"all but the end":              {from: 0, to: 58 * time.Second, baked: 118 * time.Second, watched: "watched 1m of 1m"},
		"wakes long after the end":     {from: 10 * time.Second, to: time.Hour, baked: time.Hour + 50*time.Second, watched: "watched 1m of 1m"},
		"frozen in what was added too": {from: 30 * time.Second, to: 110 * time.Second, baked: 140 * time.Second, watched: "watched 1m of 1m"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 10)
			w.frozen(tt.from, tt.to)
			s := w.run(fourStages())
			require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
			st := s.Stages[0]
			require.InDelta(t, tt.baked.Seconds(), st.DoneAt.Sub(st.AppliedAt).Seconds(), 4)
			require.Contains(t, lastGateOf(st).Why, tt.watched)
			require.GreaterOrEqual(t, st.Watched.Std(), 54*time.Second)
		})
	}
}

// Who looks at a rollout is told that its bake goes on, why and until when.
func TestBakeThatGoesOnIsShown(t *testing.T) {
	w := newWorld(t, 10)
	w.frozen(10*time.Second, 50*time.Second)
	var then rollout.State
	w.do(70*time.Second, func() {
		then = w.state()
	})
	w.run(fourStages())
	require.Equal(t, rollout.PhaseBake, then.Phase)
	require.Contains(t, then.Why, "the bake of canary goes on: 40s of it nobody watched")
	require.WithinDuration(t, then.Stages[0].AppliedAt.Add(100*time.Second), then.Stages[0].BakeEnds, 3*time.Second)
	require.InDelta(t, 20, then.Stages[0].Watched.Std().Seconds(), 2)
}

// A bake that nobody can watch ends: by the stage's decideWithin, or a person.
func TestBakeThatNobodyCanWatch(t *testing.T) {
	for _, person := range []bool{false, true} {
		w := newWorld(t, 10)
		w.watcher = func(context.Context, activities.WatchInput) (activities.StageReport, error) {
			w.whenCancelled(nil)
			return activities.StageReport{}, temporal.NewNonRetryableApplicationError("no such label", activities.ErrTypeInvalid, nil)
		}
		s := fourStages()
		if person {
			s.Stages[0].Undecided = spec.UndecidedWait
			w.at(3*time.Hour, rollout.SignalPromote, rollout.ControlRequest{By: "ann", Why: "looked myself"})
			w.at(4*time.Hour, rollout.SignalAbort, rollout.ControlRequest{By: "ann"})
		}
		out := w.run(s)
		gates := out.Stages[0].Gates
		require.Equal(t, rollout.Hold, gates[0].Decision)
		require.Contains(t, gates[0].Why, "too little of the bake was watched: watched 0s of 1m")
		if !person {
			require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
			require.Contains(t, out.Outcome.Why, "watched 0s of 1m")
			require.Less(t, out.Outcome.EndedAt.Sub(out.StartedAt), 15*time.Minute)
			continue
		}
		last := lastGateOf(out.Stages[0])
		require.Equal(t, rollout.Promote, last.Decision)
		require.Equal(t, "ann", last.Override.By)
		require.Contains(t, last.Why, "although too little of the bake was watched")
	}
}

// A stage that has passed and waits is left on a stretch that was watched: what nobody watched of
// the wait is made up for.
func TestWaitThatNobodyWatched(t *testing.T) {
	for name, tt := range map[string]struct{ from, to, approved, left time.Duration }{
		"watched to the end":      {0, 0, time.Hour, time.Hour},
		"frozen long before":      {10 * time.Minute, 30 * time.Minute, time.Hour, time.Hour},
		"frozen at the end":       {10 * time.Minute, time.Hour, time.Hour, time.Hour + time.Minute},
		"wakes after the approve": {10 * time.Minute, 61 * time.Minute, time.Hour, 62 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 10)
			w.frozen(tt.from, tt.to)
			if tt.to == 0 {
				w.watcher = w.watch
			}
			s := fourStages()
			s.Stages[1].Approval = spec.ApprovalRequired
			w.at(tt.approved, rollout.SignalApprove, rollout.ControlRequest{By: "ann"})
			out := w.run(s)
			require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
			require.InDelta(t, tt.left.Seconds(), out.Stages[0].DoneAt.Sub(out.StartedAt).Seconds(), 70)
		})
	}
}

// What is watched in a pause is no bake.
func TestPauseIsNotBaked(t *testing.T) {
	w := newWorld(t, 10)
	w.frozen(11*time.Minute+5*time.Second, 12*time.Minute)
	w.at(5*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
	w.at(11*time.Minute, rollout.SignalResume, nil)
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.GreaterOrEqual(t, s.Stages[0].DoneAt.Sub(s.Stages[0].AppliedAt), 12*time.Minute+40*time.Second)
}

// An adaptive bake does not end on what it has shown before its least time was watched.
func TestAdaptiveBakeThatNobodyWatched(t *testing.T) {
	w := newWorld(t, 10)
	w.shown = true
	w.frozen(2*time.Second, 40*time.Second)
	s := w.run(adaptive())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.InDelta(t, 47, s.Stages[0].DoneAt.Sub(s.Stages[0].AppliedAt).Seconds(), 3)
}

// A gate that comes late rests on a new watch, not on one look.
func TestGateThatComesLate(t *testing.T) {
	w := newWorld(t, 10)
	late := true
	w.gater = func(ctx context.Context, in activities.GateInput) (activities.StageReport, error) {
		if late {
			late = false
			in.At = in.At.Add(time.Hour)
			out, err := w.gate(ctx, in)
			token := activity.GetInfo(ctx).TaskToken
			w.env.RegisterDelayedCallback(func() { _ = w.env.CompleteActivity(token, out, err) }, time.Hour)
			return activities.StageReport{}, activity.ErrResultPending
		}
		return w.gate(ctx, in)
	}
	s := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.GreaterOrEqual(t, s.Stages[0].DoneAt.Sub(s.Stages[0].AppliedAt), time.Hour+2*time.Minute)
	require.Equal(t, rollout.Hold, s.Stages[0].Gates[0].Decision)
}

// A source that answers again in the end has not been watched by.
func TestBlindBake(t *testing.T) {
	w := newWorld(t, 10)
	s := fourStages()
	for i := range s.Stages {
		s.Stages[i].Bake = spec.Duration(10 * time.Minute)
	}
	w.says(health.NoData, func(stage int, since time.Duration) bool { return stage == 0 && since < 9*time.Minute })
	out := w.run(s)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
	require.InDelta(t, 19, out.Stages[0].DoneAt.Sub(out.Stages[0].AppliedAt).Minutes(), 0.2)
}
