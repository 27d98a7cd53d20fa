package rollout

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

// coupled makes the world's rollout the second of its train, behind the first. It may begin one
// stage.
func coupled(w *world) train.Standing {
	w.id = connect.Deployment("").RolloutID("edge", 2)
	w.mount(w.env.Now())
	return train.Standing{Version: 1, Fence: 1000, Back: 2000, Enter: 1, Behind: true}
}

// hears has the train take reports, a second after they were sent.
func (w *world) hears() {
	any1 := mock.Anything
	w.env.OnSignalExternalWorkflow(any1, connect.Deployment("").TrainID("edge"), any1, connect.SignalReport, any1).After(time.Second).
		Return(func(_, _, _, _ string, arg any) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reports = append(w.reports, arg.(train.RolloutReport))
			if w.told != nil {
				w.told(arg.(train.RolloutReport))
			}
			return nil
		}).Maybe()
}

// stands tells the rollout where it stands, at a time after the start.
func (w *world) stands(at time.Duration, s train.Standing, version int64, change func(*train.Standing)) train.Standing {
	s.Version = version
	change(&s)
	w.at(at, connect.SignalStanding, s)
	return s
}

func (w *world) inTrain(s spec.Spec, first train.Standing) rollout.State {
	return w.submit(Submission{Spec: s, By: "test", Train: &Place{Number: 2, Standing: first}})
}

// said says that some report to the train was like that.
func (w *world) said(like func(train.RolloutReport) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.reports {
		if like(p) {
			return true
		}
	}
	return false
}

// A rollout that is stopped while it looks acknowledges that at once, and does no more, also in a
// new run.
func TestSupersededContinuesAsNew(t *testing.T) {
	w := newWorld(t, 20)
	first := coupled(w)
	over := w.stands(10*time.Minute, first, 2, func(s *train.Standing) {
		s.SupersededBy, s.Taken = 3, []train.Progress{{Number: 3, Plan: "sha256:other", Stages: 1}}
	})
	heard := false
	w.do(11*time.Minute, func() { heard = w.said(func(p train.RolloutReport) bool { return p.Heard == 2 }) })
	w.grow(20 * time.Minute)
	w.stands(time.Hour, over, 3, func(s *train.Standing) { s.Behind, s.Leave = false, true })
	s := w.inTrain(fourStages(), first)
	require.Equal(t, rollout.PhaseSuperseded, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 2, w.runs)
	require.True(t, heard, "it was looking when it heard that")
	require.False(t, w.said(func(p train.RolloutReport) bool { return p.GoesBack }))
	require.Equal(t, s.Outcome.Touched, w.on("2.0.0"))
	require.Len(t, w.applies, s.Outcome.Touched)
}

// What is told in the last task of a run arrives: Temporal drops it otherwise.
func TestReportsBeforeANewRun(t *testing.T) {
	w := newWorld(t, 20)
	first := coupled(w)
	gate := w.gater
	w.gater = func(ctx context.Context, in activities.GateInput) (activities.StageReport, error) {
		w.env.SetContinueAsNewSuggested(w.runs == 1)
		return gate(ctx, in)
	}
	wanted := false
	w.do(30*time.Minute, func() { wanted = w.said(func(p train.RolloutReport) bool { return p.Passed == 1 && p.Wants }) })
	w.stands(time.Hour, first, 2, func(s *train.Standing) { s.Enter, s.Behind = 4, false })
	s := w.inTrain(fourStages(), first)
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 2, w.runs)
	require.True(t, wanted)
}

// A train that has nothing against a stage says so within a moment: until then no watch begins, and
// nothing is looked at again. One that says later what the stage waits for has the rollout watch
// on.
func TestTrainAnswersAtOnce(t *testing.T) {
	for answers, gates := range map[time.Duration]int{500 * time.Millisecond: 4, time.Minute: 4 + 3} {
		w := newWorld(t, 20)
		first := coupled(w)
		gate, asked := w.gater, 0
		w.gater = func(ctx context.Context, in activities.GateInput) (activities.StageReport, error) {
			asked++
			return gate(ctx, in)
		}
		first.Behind = false
		now := first
		w.told = func(p train.RolloutReport) {
			if p.Wants && now.Enter == p.Passed {
				now.Version++
				now.Enter++
				s := now
				w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow(connect.SignalStanding, s) }, answers)
			}
		}
		s := w.inTrain(fourStages(), first)
		require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
		require.Equal(t, gates, asked, "answers after %s", answers)
	}
}

// A stage has passed also where a person is to approve the next one: younger rollouts need not wait
// for the person.
func TestPassedBeforeApproval(t *testing.T) {
	w := newWorld(t, 20)
	first := coupled(w)
	s := fourStages()
	s.Stages[1].Approval = spec.ApprovalRequired
	passed, wanted := false, false
	w.do(time.Hour, func() {
		passed = w.said(func(p train.RolloutReport) bool { return p.Passed == 1 })
		wanted = w.said(func(p train.RolloutReport) bool { return p.Passed == 1 && p.Wants })
	})
	w.at(2*time.Hour, rollout.SignalApprove, rollout.ControlRequest{By: "ann"})
	w.do(3*time.Hour, func() { require.True(t, w.said(func(p train.RolloutReport) bool { return p.Passed == 1 && p.Wants })) })
	w.stands(4*time.Hour, first, 2, func(s *train.Standing) { s.Enter, s.Behind = 4, false })
	require.Equal(t, rollout.PhasePromoted, w.inTrain(s, first).Outcome.Result)
	require.True(t, passed)
	require.False(t, wanted)
}

// A rollout that is started once more to take back what an earlier run has left, and cannot know
// what that is, names that it knows of no target, and tells the train that it went back.
func TestTakeBackOfWhatNobodyKnows(t *testing.T) {
	w := newWorld(t, 20)
	first := coupled(w)
	w.hears()
	w.inheritErr = errors.New("the history is gone")
	s := w.submit(Submission{Spec: fourStages(), By: "test", Train: &Place{Number: 2, Standing: first, TakeBack: true}})
	require.Equal(t, rollout.PhaseIncomplete, s.Outcome.Result, s.Outcome.Why)
	require.Len(t, s.Outcome.NotReverted, 1)
	require.Equal(t, "every target", s.Outcome.NotReverted[0].ID)
	require.Contains(t, s.Outcome.NotReverted[0].Reason, "the history is gone")
	require.Empty(t, w.applies, "nothing goes forward")
	require.True(t, w.said(func(p train.RolloutReport) bool { return p.GoesBack && p.Result == "incomplete" }))
}

// A younger rollout takes no target while it is measured: what is measured before a stage is a look
// like others.
func TestMeasuredBeforeYoungerTake(t *testing.T) {
	w := newWorld(t, 20)
	w.measuring = 3 * time.Minute
	first := coupled(w)
	w.stands(time.Minute, first, 2, func(s *train.Standing) {
		s.Taken, s.Enter, s.Behind = []train.Progress{{Number: 3, Plan: "sha256:other", Stages: 1}}, 4, false
	})
	during, after := true, false
	heard := func(p train.RolloutReport) bool { return p.Heard == 2 }
	w.do(2*time.Minute, func() { during = w.said(heard) })
	w.do(5*time.Minute, func() { after = w.said(heard) })
	require.Equal(t, rollout.PhasePromoted, w.inTrain(fourStages(), first).Outcome.Result)
	require.False(t, during)
	require.True(t, after)
}

// The fleet is looked at before the first stage is asked for, and once: a rollout that is refused
// has superseded nobody.
func TestPreflightBeforeItsTurn(t *testing.T) {
	w := newWorld(t, 20)
	first := coupled(w)
	first.Enter = 0
	s := fourStages()
	s.Stages[0].Approval = spec.ApprovalRequired
	looked, wanted := false, false
	wants := func(p train.RolloutReport) bool { return p.Wants }
	w.do(30*time.Minute, func() { looked, wanted = w.looked > 0, w.said(wants) })
	w.at(time.Hour, rollout.SignalApprove, rollout.ControlRequest{By: "ann"})
	w.do(2*time.Hour, func() { require.True(t, w.said(wants)); require.Equal(t, 1, w.looked); require.Empty(t, w.applies) })
	w.grow(150 * time.Minute)
	w.stands(3*time.Hour, first, 2, func(s *train.Standing) { s.Enter, s.Behind = 4, false })
	require.Equal(t, rollout.PhasePromoted, w.inTrain(s, first).Outcome.Result)
	require.False(t, looked, "a person approves first")
	require.False(t, wanted)
	require.Equal(t, 1, w.looked)
	require.Equal(t, 2, w.runs)
}

// Targets that a younger rollout of another fleet has not taken hear that the release is good; once
// it has all of them, there is nobody to tell.
func TestGoodAlsoWhereAYoungerHasTakenSome(t *testing.T) {
	for _, all := range []bool{false, true} {
		w := newWorld(t, 20)
		w.prepares = true
		first := coupled(w)
		first.Enter = 4
		var told atomic.Int64 // batches are told side by side
		w.settler = func(in activities.PrepareInput) (activities.Prepared, error) {
			require.True(t, in.Overtaken)
			told.Add(int64(in.To - in.From))
			return activities.Prepared{Ready: in.To - in.From}, nil
		}
		w.stands(20*time.Hour, first, 2, func(s *train.Standing) {
			s.Taken, s.Behind = []train.Progress{{Number: 3, Plan: "sha256:other", Stages: 1, All: all}}, false
		})
		s := w.inTrain(fourStages(), first)
		require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
		require.Equal(t, map[bool]int64{false: 20, true: 0}[all], told.Load())
	}
}
