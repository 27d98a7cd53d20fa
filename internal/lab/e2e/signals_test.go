package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

const acting = "rollout:acted"

// An abort that comes in one workflow task with the answer of the last gate is obeyed.
func TestAbortWithTheLastGate(t *testing.T) {
	t.Parallel()
	abortWithTheLastGate(act(t, 4))
}

func abortWithTheLastGate(a *acted) {
	asked, answer := make(chan bool, 1), make(chan bool)
	a.gate = func(in activities.GateInput) health.Verdict {
		if in.Stage == 1 {
			asked <- true
			<-answer
		}
		return health.Pass
	}
	run := a.start(acting, twoStages(300*time.Millisecond))
	<-asked
	a.down()
	a.signal(acting, rollout.SignalAbort)
	close(answer)
	a.answered("Gate", 2)
	a.up()
	out := a.result(run)
	require.NotEmpty(a.t, out.Controls)
	require.Equal(a.t, rollout.PhaseAborted, out.Outcome.Result)
	require.Equal(a.t, 4, out.Outcome.Reverted)
}

// A pause that comes in one workflow task with what a stage was measured by leaves the stage
// untouched.
func TestPauseWithTheMeasuring(t *testing.T) {
	t.Parallel()
	pauseWithTheMeasuring(act(t, 4))
}

func pauseWithTheMeasuring(a *acted) {
	asked, answer := make(chan bool, 1), make(chan bool)
	a.baseline = func(in activities.BaselineInput) {
		if in.Stage == 1 {
			asked <- true
			<-answer
		}
	}
	run := a.start(acting, twoStages(300*time.Millisecond))
	<-asked
	a.down()
	a.signal(acting, rollout.SignalPause)
	close(answer)
	a.answered("Baseline", 2)
	a.up()
	a.until(acting, func(s rollout.State) bool { return s.Paused != nil })
	a.signal(acting, rollout.SignalAbort)
	out := a.result(run)
	require.Equal(a.t, rollout.PhaseAborted, out.Outcome.Result)
	require.Equal(a.t, 1, out.Outcome.Touched, "only the canary")
}

// What comes in one workflow task with the need to continue as new is not lost.
func TestSignalsWithARenewal(t *testing.T) {
	t.Parallel()
	approval := twoStages(time.Second)
	approval.Stages[0].Approval = spec.ApprovalRequired
	failing := func(activities.GateInput) health.Verdict { return health.Fail }
	for _, tc := range []struct {
		name, signal string
		spec         spec.Spec
		gate         func(activities.GateInput) health.Verdict
		stuck        bool
		before, end  rollout.Phase
	}{
		{"abort", rollout.SignalAbort, approval, nil, false, rollout.PhaseApproval, rollout.PhaseAborted},
		{"approve", rollout.SignalApprove, approval, nil, false, rollout.PhaseApproval, rollout.PhasePromoted},
		{"retry", rollout.SignalRetry, twoStages(time.Second), failing, true, rollout.PhaseLocked, rollout.PhaseRolledBack},
		{"give up", rollout.SignalGiveUp, twoStages(time.Second), failing, true, rollout.PhaseLocked, rollout.PhaseIncomplete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := act(t, 4)
			a.gate, a.stuck = tc.gate, tc.stuck
			run := a.start(acting, tc.spec)
			a.until(acting, func(s rollout.State) bool { return s.Phase == tc.before })
			a.down()
			a.noise(4200)
			a.signal(acting, tc.signal)
			a.release()
			a.up()
			require.Equal(t, tc.end, a.result(run).Outcome.Result)
		})
	}
}

// An abort is obeyed while any activity waits to be tried again, and the activity is not tried
// again.
func TestAbortInABackoff(t *testing.T) {
	t.Parallel()
	a := act(t, 10)
	a.quiet = 1
	a.broken = func(id, name string) bool { return id == "rollout:"+name }
	for _, name := range []string{"Plan", "Validate", "Preflight", "Observe", "Baseline", "Apply", "Watch", "Gate", "FindStragglers"} {
		t.Run(name, func(t *testing.T) {
			s, id := twoStages(300*time.Millisecond), "rollout:"+name
			if name == "Watch" {
				s = twoStages(time.Hour)
			}
			s.Stages[1].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Targets: 1}}
			run := a.start(id, s)
			waits := func() bool { return a.waits(id, name) > time.Second }
			require.Eventually(t, waits, time.Minute, 20*time.Millisecond, "it never waited to be tried again")
			tries := a.tried(id, name)
			a.signal(id, rollout.SignalAbort)
			out := a.result(run)
			require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
			require.Equal(t, out.Outcome.Touched, out.Outcome.Reverted)
			require.Equal(t, tries, a.tried(id, name))
		})
	}
}

// waits is how long an activity waits yet to be tried again.
func (a *acted) waits(id, name string) time.Duration {
	d, err := a.client.DescribeWorkflowExecution(a.t.Context(), id, "")
	require.NoError(a.t, err)
	for _, p := range d.GetPendingActivities() {
		if p.GetActivityType().GetName() == name && p.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED && p.GetAttempt() > 1 {
			return time.Until(p.GetScheduledTime().AsTime())
		}
	}
	return 0
}

// noise sends signals of a name that nobody knows, which make a history long.
func (a *acted) noise(n int) {
	a.t.Helper()
	const lanes = 16
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for range n/lanes + 1 {
				_ = a.client.SignalWorkflow(a.t.Context(), acting, "", "noise", nil) // if one is refused, the next may be taken
			}
		})
	}
	wg.Wait()
}

// answered waits until the server has n answers of activities of a name.
func (a *acted) answered(name string, n int) {
	a.t.Helper()
	require.Eventually(a.t, func() bool {
		asked, answers := map[int64]bool{}, 0
		for _, e := range a.history() {
			if s := e.GetActivityTaskScheduledEventAttributes(); s.GetActivityType().GetName() == name {
				asked[e.GetEventId()] = true
			}
			if asked[e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()] {
				answers++
			}
		}
		return answers == n
	}, time.Minute, 20*time.Millisecond)
}

func (a *acted) history() []*historypb.HistoryEvent { return eventsOf(a.t, a.client, acting) }
