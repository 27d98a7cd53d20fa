package main

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/internal/catalog"
	inventory "github.com/sluicehq/sluice/internal/fleet"
	plans "github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// The same seed gives the same trials, another seed others; and each cell of the matrix is aimed at
// once in as many trials as it has cells.
func TestTrials(t *testing.T) {
	for _, prometheus := range []bool{true, false} {
		may := settings{prometheus: map[bool]string{true: "prometheus"}[prometheus], shifted: "worker"}.victims()
		cells := cellsOf(may)
		var all, other [][]step
		aimed := map[cell]bool{}
		for n := range cells {
			a := newTrial(7, n, may)
			require.Equal(t, a, newTrial(7, n, may))
			all, other = append(all, a.steps), append(other, newTrial(8, n, may).steps)
			require.True(t, slices.IsSortedFunc(a.steps, func(a, b step) int {
				return position(a.phase, a.stage) - position(b.phase, b.stage)
			}))
			for _, s := range a.steps {
				require.Contains(t, a.scenario.phases, s.phase)
				for _, v := range s.kill {
					aimed[cell{v, s.phase}] = true
					require.True(t, v != source || a.prometheus)
				}
			}
		}
		require.NotEqual(t, all, other)
		require.Len(t, aimed, len(cells))
	}
}

// Every scenario's specification is one that Sluice accepts, for a fleet of this size.
func TestSpecs(t *testing.T) {
	var f inventory.Fleet
	for i := range targets {
		id := string(rune('a' + i))
		f.Targets = append(f.Targets, inventory.Target{ID: id, Address: "127.0.0.1:1/t/" + id, Labels: map[string]string{"region": id[:1]}})
	}
	for _, sc := range scenarios() {
		for _, prometheus := range []string{"", "http://127.0.0.1:9090"} {
			s, err := spec.Parse("spec.yaml", []byte(sc.spec("unit-0001", prometheus)), catalog.New().Kinds())
			require.NoError(t, err, sc.name)
			_, err = plans.New(s.Spec, f, catalog.New().Kinds())
			require.NoError(t, err, sc.name)
		}
	}
}

// A run that was reset repeats what came before, and one that is continued begins nothing.
func TestTimelineOfRuns(t *testing.T) {
	event := func(n int, kind enumspb.EventType, continued string) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{
			EventTime: timestamppb.New(second(n)), EventType: kind,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
				WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{ContinuedExecutionRunId: continued},
			},
		}
	}
	started, completed := enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	first := &historypb.History{Events: []*historypb.HistoryEvent{
		event(1, started, ""), event(5, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, ""),
	}}
	wasReset := &historypb.History{Events: []*historypb.HistoryEvent{event(1, started, ""), event(7, completed, "")}}
	require.Equal(t, timeline{{second(1), plan}, {second(7), ended}}, timelineOf(first, wasReset))
	again := &historypb.History{Events: []*historypb.HistoryEvent{event(9, started, ""), event(10, started, "run"), event(11, completed, "")}}
	require.Equal(t, timeline{{second(1), plan}, {second(7), ended}, {second(9), plan}, {second(11), ended}}, timelineOf(first, wasReset, again))
}

func TestTimeline(t *testing.T) {
	at := func(n int) *timestamppb.Timestamp { return timestamppb.New(second(n)) }
	activity := func(n int, name string) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{
			EventTime: at(n), EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
			Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityType: &commonpb.ActivityType{Name: name},
			}},
		}
	}
	got := timelineOf(&historypb.History{Events: []*historypb.HistoryEvent{
		{EventTime: at(1), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED},
		activity(2, "Plan"), activity(3, "Validate"), activity(4, "Preflight"), activity(5, "Observe"), activity(6, "Baseline"), activity(7, "Apply"),
		activity(8, "Watch"), activity(9, "Gate"), activity(10, "Watch"), activity(11, "Watch"), activity(12, "Gate"), activity(13, "Nobody knows"),
		activity(14, "Observe"), activity(15, "Watch"), activity(16, "Revert"), activity(17, "Recover"),
		{EventTime: at(18), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED},
	}})
	var phases []phase
	for n := range 19 {
		phases = append(phases, got.at(second(n).Add(time.Millisecond)))
	}
	require.Equal(t, []phase{
		before, plan, plan, plan, plan, observe, observe, apply,
		bake, gate, hold, hold, gate, gate, observe, bake, rollback, verify, ended,
	}, phases)
}
