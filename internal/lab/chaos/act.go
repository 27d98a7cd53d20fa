package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// act does to the workflow what people and scripts do with Temporal's own tools. One that has ended
// stays as it is, but for a reset.
func (d *drive) act(ctx context.Context, v victim, pick float64) error {
	switch v {
	case signals, aborts:
		return d.storm(ctx, v == aborts)
	case reset:
		d.forget()
		return d.reset(ctx, connect.WorkflowID(d.unit), pick)
	case restored:
		return d.restore(ctx, pick)
	case restart:
		return d.restartWorkflow(ctx)
	}
	return fmt.Errorf("nothing does the fault %q", v)
}

// stormSize is how many signals come in one go.
const stormSize = 400

// storm sends bare signals of all kinds, many at a time. The last one resumes what one of them has
// paused.
func (d *drive) storm(ctx context.Context, ending bool) error {
	names := []string{rollout.SignalPause, rollout.SignalResume, rollout.SignalPromote, rollout.SignalApprove, rollout.SignalRetry}
	if ending {
		names = append(names, rollout.SignalAbort, rollout.SignalGiveUp)
	}
	var group errgroup.Group
	group.SetLimit(32)
	for i := range stormSize {
		group.Go(func() error { return d.signal(ctx, names[i%len(names)], rollout.ControlRequest{}) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return d.signal(ctx, rollout.SignalResume, rollout.ControlRequest{})
}

// reset resets the newest run of a workflow to one of its workflow tasks.
func (l *lane) reset(ctx context.Context, id string, pick float64) error {
	run, err := l.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return err
	}
	of := run.GetWorkflowExecutionInfo().GetExecution()
	h, err := stack.History(ctx, l.client, of.GetWorkflowId(), of.GetRunId())
	if err != nil {
		return err
	}
	var tasks []int64
	for _, e := range h.GetEvents() {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			tasks = append(tasks, e.GetEventId())
		}
	}
	if len(tasks) == 0 { // no worker has seen it yet
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
		return l.reset(ctx, id, pick)
	}
	_, err = l.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: l.Namespace, WorkflowExecution: of, Reason: "chaos", RequestId: fmt.Sprint(time.Now().UnixNano()),
		WorkflowTaskFinishEventId: tasks[int(pick*float64(len(tasks)))],
	})
	return err
}

// restartWorkflow terminates the rollout and starts it again from the same specification.
func (d *drive) restartWorkflow(ctx context.Context) error {
	err := d.client.TerminateWorkflow(ctx, connect.WorkflowID(d.unit), "", "chaos")
	if isNotFound(err) { // it has ended
		return nil
	}
	if err != nil {
		return err
	}
	d.forget()
	return d.start(ctx)
}

// forget begins anew with a run that takes the place of an earlier one.
func (d *drive) forget() { d.locked, d.gaveUp, d.held = time.Time{}, false, time.Time{} }

// gatherRuns reads what all runs of the rollout left behind, oldest first, and sends late orders of
// each.
func (d *drive) gatherRuns(ctx context.Context, e *evidence) ([]*historypb.History, error) {
	list, err := d.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: 100, Query: fmt.Sprintf("WorkflowId = %q", connect.WorkflowID(d.unit)),
	})
	if err != nil {
		return nil, err
	}
	newest, err := d.client.DescribeWorkflowExecution(ctx, connect.WorkflowID(d.unit), "")
	if err != nil {
		return nil, err
	}
	last := newest.GetWorkflowExecutionInfo()
	runs := slices.DeleteFunc(list.GetExecutions(), func(r *workflowpb.WorkflowExecutionInfo) bool {
		return r.GetExecution().GetRunId() == last.GetExecution().GetRunId()
	})
	slices.SortFunc(runs, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return a.GetCloseTime().AsTime().Compare(b.GetCloseTime().AsTime())
	})
	var out []*historypb.History
	for _, k := range d.lost {
		e.earlier = append(e.earlier, k.state)
		if err := d.repeatOrders(ctx, *e, k.state.Fence); err != nil {
			return nil, err
		}
		out = append(out, k.history)
	}
	for _, r := range append(runs, last) {
		id, state := r.GetExecution().GetRunId(), e.state
		h, err := stack.History(ctx, d.client, connect.WorkflowID(d.unit), id)
		if err == nil && r != last {
			err = again(ctx, func() (err error) { state, err = d.statusOf(ctx, id); return err })
			if _, unseen := errors.AsType[*serviceerror.WorkflowNotReady](err); unseen { // ended before any worker saw it
				continue
			}
			e.earlier = append(e.earlier, state)
		}
		if err == nil {
			err = d.lateOrders(ctx, *e, state.Fence, h)
		}
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", id, err)
		}
		out = append(out, h)
	}
	return out, nil
}
