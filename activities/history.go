package activities

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// submitted reads what a workflow was started with, together with the snapshot of its fleet, if the
// history has it: that of the run itself, or, if it was continued as new, that of the first one.
func submitted(ctx context.Context, id, run string) (PlanInput, error) {
	return Submitted(ctx, activity.GetClient(ctx), id, run)
}

// Submitted reads the same from anywhere.
func Submitted(ctx context.Context, c client.Client, id, run string) (PlanInput, error) {
	read := func(run string) (PlanInput, string, error) {
		it := c.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		return submittedIn(it)
	}
	in, first, err := read(run)
	if err != nil || len(in.FleetData) > 0 || first == "" || first == run {
		return in, err
	}
	in, _, err = read(first)
	if err != nil {
		return in, fmt.Errorf("read the first run %s: %w", first, err)
	}
	return in, nil
}

// Undone is the run that a run was started to undo; empty for a rollout.
func Undone(ctx context.Context, c client.Client, id, run string) (string, error) {
	begin, err := c.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	if err != nil {
		return "", err
	}
	var sub submission
	err = fromPayloads(begin.GetWorkflowExecutionStartedEventAttributes().GetInput(), &sub)
	return sub.Undo.Run, err
}

// submittedIn reads a submission, and the id of the first run, from a history. The snapshot of a
// fleet that the worker has listed is in the answer of Plan.
func submittedIn(it client.HistoryEventIterator) (in PlanInput, first string, err error) {
	begin, err := it.Next()
	if err != nil {
		return in, "", err
	}
	started := begin.GetWorkflowExecutionStartedEventAttributes()
	if err := converter.GetDefaultDataConverter().FromPayloads(started.GetInput(), &in); err != nil {
		return in, "", err
	}
	if len(in.FleetData) > 0 || in.FleetDigest != "" || !in.Spec.Fleet.Listed() {
		return in, started.GetFirstExecutionRunId(), nil
	}
	p, err := plannedIn(it)
	in.FleetDigest, in.FleetData = p.FleetDigest, p.FleetData
	return in, started.GetFirstExecutionRunId(), err
}

// plannedIn finds the answer of Plan in the rest of a history; none is zero.
func plannedIn(it client.HistoryEventIterator) (out Planned, err error) {
	scheduled := map[int64]bool{}
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return out, err
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == TypePlan {
			scheduled[e.GetEventId()] = true
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil && scheduled[a.GetScheduledEventId()] {
			return out, converter.GetDefaultDataConverter().FromPayloads(a.GetResult(), &out)
		}
	}
	return out, nil
}
