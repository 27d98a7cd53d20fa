package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/spec"
)

// past is a history in memory.
type past []*historypb.HistoryEvent

func (p *past) HasNext() bool { return len(*p) > 0 }

func (p *past) Next() (*historypb.HistoryEvent, error) {
	e := (*p)[0]
	*p = (*p)[1:]
	return e, nil
}

func payloads(t *testing.T, v any) *commonpb.Payloads {
	t.Helper()
	out, err := converter.GetDefaultDataConverter().ToPayloads(v)
	require.NoError(t, err)
	return out
}

func begun(t *testing.T, in PlanInput) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			Input: payloads(t, in), FirstExecutionRunId: "first",
		}},
	}
}

func scheduled(id int64, activity string) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventId: id, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityType: &commonpb.ActivityType{Name: activity}},
	}}
}

func completed(t *testing.T, id int64, result any) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventId: id + 2, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: id, Result: payloads(t, result)},
	}}
}

// The snapshot of a fleet is found where the history has it: with the submission, or
// in what Plan answered.
func TestSubmissionInAHistory(t *testing.T) {
	source := spec.FleetSource{Prometheus: "http://prom:9090", Query: "up"}
	listed := PlanInput{Spec: spec.Spec{Unit: "edge", Fleet: source}}
	file := PlanInput{Spec: spec.Spec{Unit: "edge", Fleet: spec.FleetSource{File: "fleet.yaml"}}, FleetDigest: "sha256:x", FleetData: []byte("sent")}
	answer := Planned{Digest: "plan", FleetDigest: "sha256:y", FleetData: []byte("listed")}
	for name, tc := range map[string]struct {
		events past
		digest string
		data   string
	}{
		"sent":         {past{begun(t, file), scheduled(5, "Plan"), completed(t, 5, answer)}, "sha256:x", "sent"},
		"in the store": {past{begun(t, PlanInput{FleetDigest: "sha256:x"}), scheduled(5, "Plan"), completed(t, 5, answer)}, "sha256:x", ""},
		"listed":       {past{begun(t, listed), scheduled(5, "Notify"), scheduled(6, "Plan"), completed(t, 5, "x"), completed(t, 6, answer)}, "sha256:y", "listed"},
		"not yet":      {past{begun(t, listed), scheduled(5, "Plan")}, "", ""},
		"too large":    {past{begun(t, listed), scheduled(5, "Plan"), completed(t, 5, Planned{FleetDigest: "sha256:y"})}, "sha256:y", ""},
	} {
		in, first, err := submittedIn(&tc.events)
		require.NoError(t, err, name)
		require.Equal(t, "first", first, name)
		require.Equal(t, tc.digest, in.FleetDigest, name)
		require.Equal(t, tc.data, string(in.FleetData), name)
	}
}
