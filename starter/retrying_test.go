package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/sluicehq/sluice/activities"
)

func pendingRetry(name string, attempt int32, state enumspb.PendingActivityState, message string) *workflowpb.PendingActivityInfo {
	a := &workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: name}, Attempt: attempt, State: state}
	if message != "" {
		a.LastFailure = &failurepb.Failure{Cause: &failurepb.Failure{Message: message}}
	}
	return a
}

// An activity that fails and is tried again is told, with what it said last: nobody else would say
// that a fleet's command does not work.
func TestRetriedActivitiesAreTold(t *testing.T) {
	const waits, runs = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, enumspb.PENDING_ACTIVITY_STATE_STARTED
	found := retried([]*workflowpb.PendingActivityInfo{
		pendingRetry("Plan", 2, waits, "./list.sh: exit status 1"),
		pendingRetry("Observe", 3, runs, "no plan"),
		pendingRetry("Observe", 9, waits, "no store"),
		pendingRetry("Apply", 1, runs, ""),
		pendingRetry(activities.TypeWatch, 2, runs, "heartbeat timeout"),
	})
	require.Equal(t, []retrying{{"Observe", 8, "no store"}, {"Plan", 1, "./list.sh: exit status 1"}}, found)

	v := baking()
	v.Retrying = found[1:]
	const says = "the activity Plan has failed once and is tried again: ./list.sh: exit status 1"
	require.Contains(t, strings.Join(tree(v, at(0), 80, false), "\n"), says)
	require.Contains(t, strings.Join(explanation(v, false, at(0), 80, false), "\n"), says)
	data, err := json.Marshal(v)
	require.NoError(t, err)
	require.Contains(t, string(data), `"retrying":[{"activity":"Plan","failed":1,"error":"./list.sh: exit status 1"}]`)

	told := changes(baking(), v, at(0))
	require.Len(t, told, 1)
	require.Equal(t, "trouble", told[0].Kind)
	require.Equal(t, says, told[0].Text)
	again := v
	again.Retrying = []retrying{{"Plan", 7, found[1].Error}}
	require.Empty(t, changes(v, again, at(0)), "the same trouble is told once")
}
