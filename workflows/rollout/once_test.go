package rollout

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// Two approvals that arrive together approve one stage: a double click, a repeat of one whose
// sender heard nothing, one for a stage by name and a bare one.
func TestTwoApprovalsTogetherApproveOneStage(t *testing.T) {
	ann := rollout.ControlRequest{By: "ann"}
	for name, two := range map[string][2]rollout.ControlRequest{
		"bare":        {ann, ann},
		"one id":      {{By: "ann", ID: "x"}, {By: "ann", ID: "x"}},
		"two ids":     {{By: "ann", ID: "x"}, {By: "bob", ID: "y"}},
		"by name":     {{By: "ann", ID: "x", Stage: "half"}, {By: "bob", ID: "y", Stage: "half"}},
		"name, bare":  {{By: "ann", ID: "x", Stage: "half"}, ann},
		"hours later": {{By: "ann", ID: "x"}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			s := fourStages()
			s.Stages[2].Approval, s.Stages[3].Approval = spec.ApprovalRequired, spec.ApprovalRequired
			w.do(10*time.Minute, func() {
				w.env.SignalWorkflow(rollout.SignalApprove, two[0])
				if name != "hours later" {
					w.env.SignalWorkflow(rollout.SignalApprove, two[1])
				}
			})
			if name == "hours later" { // it arrives while the next stage waits, maybe in a later run
				w.grow(30 * time.Minute)
				w.at(time.Hour, rollout.SignalApprove, two[0])
			}
			w.at(3*time.Hour, rollout.SignalApprove, rollout.ControlRequest{By: "eve"})
			out := w.run(s)
			require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
			require.Equal(t, "ann", out.Stages[2].ApprovedBy.By)
			require.Equal(t, "eve", out.Stages[3].ApprovedBy.By)
			require.Empty(t, out.Controls[0].Refused)
			require.NotEmpty(t, out.Controls[len(out.Controls)-2].Refused)
		})
	}
}

// A resume that arrives after the next pause leaves that one alone, by its id or by what it says it
// is for.
func TestAResumeEndsThePauseThatItIsFor(t *testing.T) {
	w := newWorld(t, 10)
	start := w.env.Now()
	w.at(10*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "ann"})
	w.at(20*time.Second, rollout.SignalResume, rollout.ControlRequest{By: "ann", ID: "r"})
	w.at(30*time.Second, rollout.SignalPause, rollout.ControlRequest{By: "bob"})
	w.at(40*time.Second, rollout.SignalResume, rollout.ControlRequest{By: "ann", ID: "r"})
	w.at(50*time.Second, rollout.SignalResume, rollout.ControlRequest{By: "eve", ID: "s", Since: start.Add(10 * time.Second)})
	w.at(time.Hour, rollout.SignalResume, rollout.ControlRequest{By: "bob", ID: "t", Since: start.Add(30 * time.Second)})
	out := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
	require.Greater(t, out.Stages[0].DoneAt.Sub(start), time.Hour)
	require.Contains(t, out.Controls[3].Refused, "a repeat")
	require.Contains(t, out.Controls[4].Refused, "for an earlier pause")
}

// hang makes the way back one that never ends, also when it is cancelled.
func (w *world) hang() {
	w.reverter = func(_ context.Context, in activities.RevertInput) (activities.Reverted, error) {
		if in.NameOnly {
			return w.nameOnly(in), nil
		}
		return activities.Reverted{}, activity.ErrResultPending
	}
}

func (w *world) nameOnly(in activities.RevertInput) activities.Reverted {
	var out activities.Reverted
	for _, t := range w.targets(in.Batch) {
		out.Trouble = append(out.Trouble, activities.Trouble{ID: t.ID})
	}
	return out
}

// A person gives up at any moment of a way back, and it ends at once, with every target that is not
// known to be back by name.
func TestGiveUpAtAnyMomentOfAWayBack(t *testing.T) {
	sign := rollout.ControlRequest{By: "ann", Why: "all is scrapped"}
	for _, at := range []time.Duration{31 * time.Second, time.Minute, 5 * time.Minute} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			w := newWorld(t, 20)
			w.hang()
			w.at(210*time.Second, rollout.SignalAbort, nil)
			w.at(210*time.Second+at, rollout.SignalGiveUp, sign)
			out := w.run(fourStages())
			require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
			require.Equal(t, "ann", out.Outcome.GaveUp.By)
			require.Less(t, out.Outcome.EndedAt.Sub(out.StartedAt), 210*time.Second+at+15*time.Second)
			require.Len(t, out.Outcome.NotReverted, out.Outcome.Touched)
			require.Equal(t, out.Outcome.Touched, out.Outcome.NotBack)
			require.Equal(t, "t", out.Outcome.NotReverted[0].ID[:1])
			require.NotEmpty(t, out.Outcome.NotReverted[0].Reason)
		})
	}
}

// What is left is told at any moment of a way back: by batches before the first try has ended, by
// names and reasons after it, and also while it is tried again.
func TestWhatIsLeftIsAlwaysTold(t *testing.T) {
	w := newWorld(t, 10)
	w.do(10*time.Second, func() { w.stuck[w.plan.Order[0].ID] = true })
	plain := w.reverter
	w.reverter = func(ctx context.Context, in activities.RevertInput) (activities.Reverted, error) {
		out, err := plain(ctx, in)
		token, wait := activity.GetInfo(ctx).TaskToken, time.Minute
		if in.Only != nil {
			wait = 5 * time.Minute
		}
		w.env.RegisterDelayedCallback(func() { _ = w.env.CompleteActivity(token, out, err) }, wait)
		return activities.Reverted{}, activity.ErrResultPending
	}
	status := func() (s rollout.State) {
		s = w.state()
		return s
	}
	w.at(30*time.Second, rollout.SignalAbort, nil)
	for after, want := range map[time.Duration]rollout.TargetTrouble{
		time.Minute:     {ID: "revert targets 1-1 of canary", Reason: "not rolled back yet"},
		2 * time.Minute: {ID: "t000", Reason: "not reached"},
		8 * time.Minute: {ID: "t000", Reason: "not reached"},
	} {
		w.do(after, func() {
			s := status()
			require.Len(t, s.NotReverted, 1, after)
			want.ID = map[bool]string{true: want.ID, false: w.plan.Order[0].ID}[after == time.Minute]
			require.Equal(t, want, s.NotReverted[0])
			require.Equal(t, 1, s.NotBack)
			require.Contains(t, rollout.Details(s), want.ID)
		})
	}
	w.at(7*time.Minute, rollout.SignalRetry, nil)
	w.at(9*time.Minute, rollout.SignalGiveUp, rollout.ControlRequest{By: "ann", Why: "it is scrapped"})
	out := w.run(fourStages())
	require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
	require.Equal(t, []rollout.TargetTrouble{{ID: w.plan.Order[0].ID, Reason: "not reached"}}, out.Outcome.NotReverted)
	require.InDelta(t, (9*time.Minute + givenUpWithin).Seconds(), out.Outcome.EndedAt.Sub(out.StartedAt).Seconds(), 5)
	require.Nil(t, out.NotReverted)
}

// Cancelling the workflow takes back in every phase.
func TestACancellationTakesBackInEveryPhase(t *testing.T) {
	for name, tc := range map[string]struct {
		phase rollout.Phase
		at    time.Duration
	}{
		"before anything": {rollout.PhaseApproval, 5 * time.Second},
		"measuring":       {rollout.PhaseObserve, 65 * time.Second},
		"applying":        {rollout.PhaseApply, 85 * time.Second},
		"baking":          {rollout.PhaseBake, 110 * time.Second},
		"holding":         {rollout.PhaseHold, 155 * time.Second},
		"paused":          {rollout.PhaseBake, 115 * time.Second},
		"asking":          {rollout.PhaseApproval, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			w.measuring = 20 * time.Second
			w.mount(w.env.Now())
			s := fourStages()
			s.Stages[0].Approval, s.Stages[2].Approval = spec.ApprovalRequired, spec.ApprovalRequired
			w.at(time.Minute, rollout.SignalApprove, rollout.ControlRequest{Stage: "canary"})
			w.says(health.NoData, func(_ int, since time.Duration) bool { return name == "holding" && since > 30*time.Second })
			if name == "paused" {
				w.at(100*time.Second, rollout.SignalPause, nil)
			}
			plain := w.applier
			w.applier = func(ctx context.Context, in activities.ApplyInput) (activities.Applied, error) {
				out, err := plain(ctx, in)
				token := activity.GetInfo(ctx).TaskToken
				w.env.RegisterDelayedCallback(func() { _ = w.env.CompleteActivity(token, out, err) }, 10*time.Second)
				return activities.Applied{}, activity.ErrResultPending
			}
			w.do(tc.at, func() {
				now := w.state()
				require.Equal(t, tc.phase, now.Phase)
				w.env.CancelWorkflow()
			})
			out := w.run(s)
			require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
			require.Equal(t, 20, w.on("1.0.0"))
			require.Less(t, out.Outcome.EndedAt.Sub(out.StartedAt), tc.at+30*time.Second)
		})
	}
}
