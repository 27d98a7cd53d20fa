package rollout

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// hear registers the receiver of notifications, and answers what it was told.
func (w *world) hear(answer error) func() []string {
	var mu sync.Mutex
	var told []string
	w.env.OnWorkflow(Notify, mock.Anything, mock.Anything).Return(func(_ workflow.Context, in activities.NotifyInput) error {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, in.Event.Event)
		return answer
	}).Maybe()
	return func() []string { mu.Lock(); defer mu.Unlock(); return told }
}

// What is told follows what the spec asks for, and a receiver that fails changes nothing.
func TestNotifications(t *testing.T) {
	for _, tc := range []struct {
		on     []string
		answer error
		want   []string
	}{
		{spec.NotifyEvents(), nil, []string{"waiting-for-approval", "rolling-back", "rolled-back"}},
		{spec.NotifyEvents(), errors.New("down"), []string{"waiting-for-approval", "rolling-back", "rolled-back"}},
		{[]string{"rolled-back"}, nil, []string{"rolled-back"}},
		{[]string{"promoted"}, nil, nil},
	} {
		w := newWorld(t, 20)
		told := w.hear(tc.answer)
		w.fails(func(i int, _ time.Duration) bool { return i == 2 })
		s := fourStages()
		s.Stages[2].Approval = spec.ApprovalRequired
		s.Notify = &spec.Notify{Webhook: "https://hooks.example/x", On: tc.on}
		w.at(10*time.Minute, rollout.SignalApprove, nil)
		out := w.run(s)
		require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
		require.WithinDuration(t, out.StartedAt.Add(10*time.Minute), out.Outcome.EndedAt, 10*time.Second)
		require.ElementsMatch(t, tc.want, told(), "they are independent of each other, and so is their order")
	}
}

// A receiver that takes an hour is not waited for, neither on the way nor at the end.
func TestSlowReceiver(t *testing.T) {
	without := newWorld(t, 20).run(fourStages())
	w := newWorld(t, 20)
	began := 0
	w.env.OnWorkflow(Notify, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, _ activities.NotifyInput) error {
		began++
		return workflow.Sleep(ctx, time.Hour)
	})
	s := fourStages()
	s.Stages[1].Approval = spec.ApprovalRequired
	s.Notify = &spec.Notify{Webhook: "https://hooks.example/x", On: spec.NotifyEvents()}
	w.at(70*time.Second, rollout.SignalApprove, rollout.ControlRequest{Stage: s.Stages[1].Name})
	out := w.run(s)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
	require.Equal(t, 2, began, "told of the wait and of the end")
	require.InDelta(t, without.Outcome.EndedAt.Sub(without.StartedAt).Seconds(), out.Outcome.EndedAt.Sub(out.StartedAt).Seconds(), 15)
}

// A gate that holds again and again is told once.
func TestAHoldIsToldOnce(t *testing.T) {
	w := newWorld(t, 10)
	told := w.hear(nil)
	w.says(health.NoData, func(_ int, since time.Duration) bool { return int(since/time.Second)%2 == 0 })
	s := fourStages()
	s.Notify = &spec.Notify{Webhook: "https://hooks.example/x", On: []string{"holding"}}
	w.run(s)
	seen := told()
	require.NotEmpty(t, seen)
	require.LessOrEqual(t, len(seen), len(s.Stages))
}

// Every lock is told of once, however many signals came before it.
func TestEveryLockIsTold(t *testing.T) {
	for _, signals := range []int{0, 2 * rollout.MaxControls} {
		w := newWorld(t, 10)
		told := w.hear(nil)
		w.health = func(int, time.Duration) health.Verdict { return health.Fail }
		for id := range w.releases {
			w.stuck[id] = true
		}
		for i := range signals {
			w.at(time.Hour+time.Duration(i)*time.Second, rollout.SignalResume, nil)
		}
		w.at(2*time.Hour, rollout.SignalRetry, rollout.ControlRequest{By: "ann"})
		w.at(4*time.Hour, rollout.SignalRetry, rollout.ControlRequest{By: "ann"})
		s := fourStages()
		s.Notify = &spec.Notify{Webhook: "https://hooks.example/x", On: []string{string(rollout.PhaseLocked)}}
		require.Equal(t, rollout.PhaseIncomplete, w.run(s).Outcome.Result)
		require.Len(t, told(), 3)
	}
}

// A receiver that is down is tried for an hour, one that refuses once.
func TestNotifyRetries(t *testing.T) {
	for _, tc := range []struct {
		err         error
		least, most int
	}{
		{errors.New("503"), 10, 60},
		{temporal.NewNonRetryableApplicationError("404", activities.ErrTypeInvalid, nil), 1, 1},
	} {
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(quiet{})
		env := suite.NewTestWorkflowEnvironment()
		(&activities.Activities{}).Register(env)
		calls := 0
		env.OnActivity(activities.TypeNotify, mock.Anything, mock.Anything).Return(func(context.Context, activities.NotifyInput) error {
			calls++
			return tc.err
		})
		began := env.Now()
		env.ExecuteWorkflow(Notify, activities.NotifyInput{})
		require.Error(t, env.GetWorkflowError())
		require.GreaterOrEqual(t, calls, tc.least)
		require.LessOrEqual(t, calls, tc.most)
		require.LessOrEqual(t, env.Now().Sub(began), notifyFor+time.Minute)
	}
}
