package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

// fakeTemporal is a server with one rollout. Calls that no test needs panic.
type fakeTemporal struct {
	client.Client
	// describe answers each look, counted from 1.
	describe func(look int) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	// query answers each status query, counted from 1.
	query func(n int) (rollout.State, error)
	// result is what the workflow ended with.
	result rollout.State
	// startErr refuses a start.
	startErr error
	// signalErr is what a signal meets.
	signalErr error
	// heals is after how many signals signalErr is over; 0 is never.
	heals int
	// input is what the running rollout was started with.
	input workflows.Submission
	// pages are the answers to a list.
	pages []*workflowservice.ListWorkflowExecutionsResponse

	looks, queries int
	submitted      []any
	cancelled      []*workflowservice.RequestCancelWorkflowExecutionRequest
	signals        []rollout.ControlRequest
	started        []client.StartWorkflowOptions
	listed         []string
}

func (f *fakeTemporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if strings.HasPrefix(id, "train:") { // no unit has one
		return nil, serviceerror.NewNotFound("no train")
	}
	f.looks++
	return f.describe(f.looks)
}

func (f *fakeTemporal) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	f.queries++
	s, err := f.query(f.queries)
	return encoded{s}, err
}

func (f *fakeTemporal) SignalWorkflow(_ context.Context, _, _, _ string, arg any) error {
	f.signals = append(f.signals, arg.(rollout.ControlRequest))
	if f.heals > 0 && len(f.signals) > f.heals {
		return nil
	}
	return f.signalErr
}

func (f *fakeTemporal) WorkflowService() workflowservice.WorkflowServiceClient {
	return fakeService{fake: f}
}

// fakeService takes cancellations.
type fakeService struct {
	workflowservice.WorkflowServiceClient
	fake *fakeTemporal
}

func (f fakeService) RequestCancelWorkflowExecution(
	_ context.Context, in *workflowservice.RequestCancelWorkflowExecutionRequest, _ ...grpc.CallOption,
) (*workflowservice.RequestCancelWorkflowExecutionResponse, error) {
	f.fake.cancelled = append(f.fake.cancelled, in)
	return &workflowservice.RequestCancelWorkflowExecutionResponse{}, nil
}

func (f *fakeTemporal) GetWorkflow(context.Context, string, string) client.WorkflowRun {
	return fakeRun{result: f.result}
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	f.started, f.submitted = append(f.started, o), append(f.submitted, args...)
	return fakeRun{}, f.startErr
}

func (f *fakeTemporal) ListWorkflow(
	_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.listed = append(f.listed, r.GetQuery())
	if len(f.pages) == 0 {
		return &workflowservice.ListWorkflowExecutionsResponse{}, nil
	}
	page := f.pages[0]
	f.pages = f.pages[1:]
	return page, nil
}

func (f *fakeTemporal) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(f.input)
	if err != nil {
		panic(err)
	}
	return &fakeHistory{event: &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads},
	}}}
}

type fakeHistory struct{ event *historypb.HistoryEvent }

func (h *fakeHistory) HasNext() bool { return h.event != nil }

func (h *fakeHistory) Next() (*historypb.HistoryEvent, error) {
	e := h.event
	h.event = nil
	return e, nil
}

// fakeRun is a workflow that ended with a result.
type fakeRun struct {
	client.WorkflowRun
	result rollout.State
}

func (fakeRun) GetRunID() string { return "run-1" }

func (r fakeRun) Get(_ context.Context, into any) error {
	return encoded{r.result}.Get(into)
}

// encoded goes through JSON, as an answer from Temporal does.
type encoded struct{ v any }

func (e encoded) HasValue() bool { return true }

func (e encoded) Get(into any) error {
	data, err := json.Marshal(e.v)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// payload is a value as Temporal keeps it.
func payload(v any) *commonpb.Payload {
	p, err := converter.GetDefaultDataConverter().ToPayload(v)
	if err != nil {
		panic(err)
	}
	return p
}

// execution is what Temporal's index says of the rollout.
func execution(status enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: connect.WorkflowID("edge-proxy"), RunId: "run-1"},
		Status:    status,
		StartTime: timestamppb.New(at(0)),
		Memo:      &commonpb.Memo{Fields: map[string]*commonpb.Payload{memoBy: payload("ana@laptop")}},
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
			connect.AttrRelease.GetName(): payload("2.4.1"), connect.AttrPhase.GetName(): payload("running"), connect.AttrStage.GetName(): payload("early"),
		}},
	}
	if status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		info.CloseTime = timestamppb.New(at(1))
	}
	return info
}

func described(
	status enumspb.WorkflowExecutionStatus, pending ...*workflowpb.PendingActivityInfo,
) *workflowservice.DescribeWorkflowExecutionResponse {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: execution(status), PendingActivities: pending}
}

// pendingWatch is a watch activity whose last heartbeat was a report.
func pendingWatch(beat any) *workflowpb.PendingActivityInfo {
	a := &workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: activities.TypeWatch}}
	if beat != nil {
		a.HeartbeatDetails = &commonpb.Payloads{Payloads: []*commonpb.Payload{payload(beat)}}
	}
	return a
}

func errUnavailable(text string) error { return serviceerror.NewUnavailable(text) }

func errDeaf() error {
	return fmt.Errorf("query: %w", serviceerror.NewDeadlineExceeded("no worker"))
}
