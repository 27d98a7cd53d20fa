package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health/source"
)

// What ran before is asked of Temporal; where it does not tell, a rollout starts without.
func TestEarlier(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	past := func(from, to time.Duration) *workflowpb.WorkflowExecutionInfo {
		return &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{}, StartTime: timestamppb.New(now.Add(-from)), CloseTime: timestamppb.New(now.Add(-to)),
		}
	}
	span := func(from, to time.Duration) source.EarlierRun {
		return source.EarlierRun{From: now.Add(-from), To: now.Add(-to)}
	}
	newest := past(20*time.Minute, 10*time.Minute)
	precise := past(20*time.Minute, 10*time.Minute)
	precise.CloseTime.Nanos += 317 // a list knows microseconds
	refused := func(info *workflowpb.WorkflowExecutionInfo) *workflowpb.WorkflowExecutionInfo {
		return &workflowpb.WorkflowExecutionInfo{
			Execution: info.GetExecution(), StartTime: info.GetStartTime(), CloseTime: info.GetCloseTime(),
			SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
				connect.AttrOutcome.GetName(): {Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`"refused"`)},
			}},
		}
	}
	old := &workflowpb.WorkflowExecutionInfo{StartTime: timestamppb.New(now)}
	for name, test := range map[string]struct {
		listed []*workflowpb.WorkflowExecutionInfo
		list   error
		last   *workflowpb.WorkflowExecutionInfo
		want   []source.EarlierRun
	}{
		"refused, so it changed nothing": {
			listed: []*workflowpb.WorkflowExecutionInfo{refused(newest), past(2*time.Hour, time.Hour)}, last: refused(precise),
			want: []source.EarlierRun{span(2*time.Hour, time.Hour)},
		},
		"never ran": {want: nil, last: old},
		"ran twice": {
			listed: []*workflowpb.WorkflowExecutionInfo{newest, past(2*time.Hour, time.Hour)}, last: precise,
			want: []source.EarlierRun{span(20*time.Minute, 10*time.Minute), span(2*time.Hour, time.Hour)},
		},
		"not listed yet": {
			listed: []*workflowpb.WorkflowExecutionInfo{past(2*time.Hour, time.Hour)}, last: newest,
			want: []source.EarlierRun{span(20*time.Minute, 10*time.Minute), span(2*time.Hour, time.Hour)},
		},
		"no visibility": {
			list: errors.New("no visibility"), last: newest,
			want: []source.EarlierRun{span(20*time.Minute, 10*time.Minute)},
		},
		"the last is days ago":     {last: past(200*time.Hour, 100*time.Hour)},
		"nothing can be asked":     {list: errors.New("gone")},
		"one that runs is no past": {last: old},
	} {
		t.Run(name, func(t *testing.T) {
			c := &mocks.Client{}
			c.On("ListWorkflow", mock.Anything, mock.MatchedBy(func(r *workflowservice.ListWorkflowExecutionsRequest) bool {
				return r.GetQuery() == `WorkflowId = "rollout:edge" AND CloseTime > "2026-02-27T12:00:00Z"`
			})).Return(&workflowservice.ListWorkflowExecutionsResponse{Executions: test.listed}, test.list)
			if test.last == nil {
				c.On("DescribeWorkflowExecution", mock.Anything, "rollout:edge", "").Return(nil, errors.New("not found"))
			} else {
				c.On("DescribeWorkflowExecution", mock.Anything, "rollout:edge", "").
					Return(&workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: test.last}, nil)
			}
			r := &remote{client: c}
			require.ElementsMatch(t, test.want, r.earlier(t.Context(), "rollout:edge", now))
		})
	}
}
