package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/rollout"
)

// earlierFrom is how long ago a rollout may have ended to count as an earlier one.
const earlierFrom = 48 * time.Hour

// earlier are when the newest rollouts of a unit ran. It is empty where Temporal does not tell: no
// start waits for it.
func (r *remote) earlier(ctx context.Context, workflowID string, now time.Time) []source.EarlierRun {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var out []source.EarlierRun
	res, err := r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: health.MostEarlier,
		Query:    fmt.Sprintf("WorkflowId = %q AND CloseTime > %q", workflowID, now.Add(-earlierFrom).UTC().Format(time.RFC3339)),
	})
	if err == nil {
		for _, e := range res.GetExecutions() {
			if changed(e) {
				out = append(out, earlierRun(e))
			}
		}
	}
	// The newest may not be listed yet.
	if d, err := r.client.DescribeWorkflowExecution(ctx, workflowID, ""); err == nil {
		info := d.GetWorkflowExecutionInfo()
		last := earlierRun(info)
		if info.GetCloseTime() != nil && changed(info) && now.Sub(last.To) < earlierFrom && !slices.Contains(out, last) {
			out = slices.Insert(out, 0, last)
		}
	}
	return out[:min(len(out), health.MostEarlier)]
}

// changed says that a workflow that has ended may have changed something: what refuses to start
// leaves targets as they were, so that an incident before it is still one.
func changed(info *workflowpb.WorkflowExecutionInfo) bool {
	return keyword(info.GetSearchAttributes().GetIndexedFields(), connect.AttrOutcome.GetName()) != string(rollout.PhaseRefused)
}

// earlierRun is when a workflow ran, as precisely as a list tells.
func earlierRun(info *workflowpb.WorkflowExecutionInfo) source.EarlierRun {
	return source.EarlierRun{
		From: info.GetStartTime().AsTime().Truncate(time.Microsecond),
		To:   info.GetCloseTime().AsTime().Truncate(time.Microsecond),
	}
}
