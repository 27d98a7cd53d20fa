package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// A signal is one entry of a table: nothing else knows of this one.
func TestToySignal(t *testing.T) {
	w := newWorld(t, 10)
	w.signals = append(rollout.Signals(), rollout.Signal{
		Name: "freeze", Short: "stop until a person resumes", NeedsReason: true,
		Refuse: func(s rollout.State, _ rollout.Control) string {
			if s.Paused != nil {
				return "frozen already"
			}
			return ""
		},
		Apply: func(s *rollout.State, c rollout.Control) { s.Paused = &c },
	})
	w.mount(w.env.Now())
	w.at(10*time.Second, "freeze", rollout.ControlRequest{By: "ann"})
	w.at(30*time.Second, "freeze", rollout.ControlRequest{By: "ann", Why: "holidays"})
	w.at(time.Minute, "freeze", rollout.ControlRequest{By: "bob", Why: "holidays"})
	w.at(time.Hour, rollout.SignalResume, nil)
	out := w.run(fourStages())
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result)
	require.Greater(t, out.Stages[0].DoneAt.Sub(out.Stages[0].AppliedAt), 55*time.Minute)
	require.Contains(t, out.Controls[0].Refused, "freeze needs a name and a reason")
	require.Empty(t, out.Controls[1].Refused)
	require.Equal(t, "frozen already", out.Controls[2].Refused)
}

// 20,000 signals that arrive together do not stall the rollout, though they take longer than
// Temporal lets a coroutine work without a pause.
func TestStormOfSignals(t *testing.T) {
	applied := 0
	noise := rollout.Signal{Name: "noise", Apply: func(*rollout.State, rollout.Control) {
		applied++
		for began := time.Now(); time.Since(began) < 100*time.Microsecond; { // it computes
		}
	}}
	r := worker.NewWorkflowReplayer()
	register(r, append(rollout.Signals(), noise))
	var err error
	for range 3 { // a busy machine may give nothing to anybody for a second
		applied = 0
		if err = r.ReplayWorkflowHistory(quiet{}, together(t, "noise", 20_000)); err == nil {
			break
		}
	}
	require.NoError(t, err)
	require.Equal(t, 20_000, applied)
}

// An abort is applied before everything that arrived with it, however much that is.
func TestAbortIsAppliedFirst(t *testing.T) {
	signals := rollout.Signals()
	var applied []string
	for i, s := range signals {
		signals[i].Apply = func(st *rollout.State, c rollout.Control) {
			applied = append(applied, c.Signal)
			s.Apply(st, c)
		}
	}
	r := worker.NewWorkflowReplayer()
	register(r, signals)
	// An error is that the history ends before the rollout does.
	_ = r.ReplayWorkflowHistory(quiet{}, together(t, rollout.SignalPause, 20_000, rollout.SignalAbort))
	require.Equal(t, []string{rollout.SignalAbort}, applied)
}

// together is the history of a rollout that waits for its plan while a signal arrives n times, and
// others after it, all in one workflow task.
func together(t *testing.T, name string, n int, others ...string) *historypb.History {
	t.Helper()
	payloads := func(v any) *commonpb.Payloads {
		p, err := converter.GetDefaultDataConverter().ToPayloads(v)
		require.NoError(t, err)
		return p
	}
	h, now := &historypb.History{}, timestamppb.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	add := func(e *historypb.HistoryEvent) {
		e.EventId, e.EventTime = int64(len(h.Events)+1), now
		h.Events = append(h.Events, e)
	}
	task := func() {
		add(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
				WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{},
			},
		})
		add(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
				WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{},
			},
		})
		add(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
				WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{},
			},
		})
	}
	add(&historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
				WorkflowType: &commonpb.WorkflowType{Name: connect.WorkflowType}, TaskQueue: &taskqueuepb.TaskQueue{Name: connect.TaskQueue},
				WorkflowTaskTimeout: durationpb.New(10 * time.Second), Input: payloads(Submission{Spec: fourStages(), By: "ann"}),
			},
		},
	})
	task()
	add(&historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityId: "5", ActivityType: &commonpb.ActivityType{Name: activities.TypePlan},
			},
		},
	})
	for _, signal := range append(slices.Repeat([]string{name}, n), others...) {
		add(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
				WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
					SignalName: signal, Input: payloads(rollout.ControlRequest{By: "ann", Why: "as the test says"}),
				},
			},
		})
	}
	task()
	return h
}
