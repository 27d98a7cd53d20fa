package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/rollout"
)

// InheritInput asks what earlier runs of a rollout's workflow have left behind: one that
// was terminated or reset took nothing back.
type InheritInput struct {
	// Reset says that the run is a reset of an earlier one.
	Reset bool `json:"reset,omitempty"`
	// Undo names a run of which all is asked that it has touched, however it ended.
	Undo string `json:"undo,omitempty"`
}

// Inherited is the answer to an InheritInput.
type Inherited struct {
	// From says in words which runs have left something, newest first.
	From []string `json:"from,omitempty"`
	// Touched are the batches that they have changed, or may have, oldest first.
	Touched []Touched `json:"touched,omitempty"`
	// Ended is how the newest earlier run ended; nil if it did not end by itself.
	Ended *rollout.Outcome `json:"ended,omitempty"`
}

const (
	// maxEarlier is how many earlier runs are looked at.
	maxEarlier = 20
	// maxInherited bounds an answer, which is limited to 2 MB.
	maxInherited = 1 << 20
)

// Inherit reads the histories of earlier runs, newest first, back to one that has ended by
// itself: that one has left nothing that its outcome does not name.
func (a *Activities) Inherit(ctx context.Context, in InheritInput) (Inherited, error) {
	defer living(ctx)()
	me, c := activity.GetInfo(ctx).WorkflowExecution, activity.GetClient(ctx)
	read := func(run string, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
		return c.GetWorkflowHistory(ctx, me.ID, run, false, filter)
	}
	if in.Undo != "" {
		return undone(in.Undo, read(in.Undo, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT))
	}
	var runs []string
	if in.Reset {
		base, err := resetOf(read(me.RunID, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT))
		if err != nil {
			return Inherited{}, fmt.Errorf("read of which run this is a reset: %w", err)
		}
		runs = append(runs, base)
	}
	list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: maxEarlier, Query: fmt.Sprintf("WorkflowId = %q", me.ID),
	})
	if err != nil {
		return Inherited{}, fmt.Errorf("list earlier runs of %s: %w", me.ID, err)
	}
	infos := list.GetExecutions()
	slices.SortStableFunc(infos, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return b.GetStartTime().AsTime().Compare(a.GetStartTime().AsTime())
	})
	for _, e := range infos {
		if id := e.GetExecution().GetRunId(); id != me.RunID && !slices.Contains(runs, id) {
			runs = append(runs, id)
		}
	}
	return inherit(runs, read)
}

// undone is all that a run has touched, to be taken back by an order of now. A run that
// Temporal does not keep any more cannot be undone.
func undone(run string, it client.HistoryEventIterator) (Inherited, error) {
	var l left
	if err := l.read(it); err != nil {
		err = fmt.Errorf("read what run %s has touched: %w", run, err)
		if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
			return Inherited{}, invalid(err)
		}
		return Inherited{}, err
	}
	for i := range l.touched {
		l.touched[i].Back = 0
	}
	out := Inherited{Touched: l.touched}
	if n := rollout.JSONSize(out); n > maxInherited {
		return Inherited{}, invalid(fmt.Errorf("what run %s has touched takes %d bytes, at most %d can be carried", run, n, maxInherited))
	}
	return out, nil
}

// inherit goes through runs, newest first. One that Temporal does not keep any more is the
// last that can be known.
func inherit(runs []string, read func(run string, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator) (Inherited, error) {
	var out Inherited
	seen := map[string]bool{}
	for _, run := range runs {
		l, err := leftBy(run, read)
		if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
			break
		}
		if err != nil {
			return Inherited{}, fmt.Errorf("read what run %s has left: %w", run, err)
		}
		if o := l.outcome; o != nil && o.Result != rollout.PhaseRefused {
			if len(out.From) == 0 {
				out.Ended = o
			}
			break
		}
		var fresh []Touched
		for _, t := range l.touched {
			key := t
			key.Back, key.Count = 0, 0
			if text := fmt.Sprintf("%+v", key); !seen[text] { // a reset repeats what came before it
				seen[text] = true
				fresh = append(fresh, t)
			}
		}
		if len(fresh) > 0 {
			out.From = append(out.From, fmt.Sprintf("run %s of %s, which was %s", run, l.release, l.how))
			out.Touched = append(fresh, out.Touched...)
		}
		if l.settled {
			break
		}
	}
	if n := rollout.JSONSize(out); n > maxInherited {
		return Inherited{}, invalid(fmt.Errorf("what %d earlier runs have left takes %d bytes, at most %d can be carried",
			len(out.From), n, maxInherited))
	}
	return out, nil
}

// left is what a run has left behind.
type left struct {
	release, how string
	// outcome is set for a run that has ended by itself.
	outcome *rollout.Outcome
	touched []Touched
	// settled says that it had taken back first what those before it had left.
	settled bool
}

// leftBy reads how a run ended and, if not by itself, what it had touched.
func leftBy(run string, read func(string, enumspb.HistoryEventFilterType) client.HistoryEventIterator) (left, error) {
	end := read(run, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	last, err := end.Next()
	if err != nil {
		return left{}, err
	}
	out := left{how: "ended by Temporal"}
	switch last.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		var s rollout.State
		err := fromPayloads(last.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &s)
		return left{outcome: s.Outcome}, err
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: // the next run has taken all of it along
		return left{}, nil
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		out.how = "terminated"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		out.how = "timed out"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		out.how = "failed"
	}
	err = out.read(read(run, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT))
	return out, err
}

// read reads from a history which batches a run has touched: those that it was given
// along, and those whose apply it has asked for.
func (l *left) read(it client.HistoryEventIterator) error {
	asked, reset := map[string]bool{}, false
	var sub struct {
		PlanInput
		Carried struct {
			State   rollout.State `json:"state"`
			Touched []Touched     `json:"touched"`
		} `json:"carried"`
	}
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return err
		}
		reset = reset || isReset(e)
		if s := e.GetWorkflowExecutionStartedEventAttributes(); s != nil {
			if err := fromPayloads(s.GetInput(), &sub); err != nil {
				return err
			}
			l.release = sub.Spec.Release
			for _, t := range sub.Carried.Touched {
				if t.Back == 0 {
					t.Back = sub.Carried.State.Fence + 1
				}
				l.touched = append(l.touched, t)
			}
		}
		a := e.GetActivityTaskScheduledEventAttributes()
		name := a.GetActivityType().GetName()
		l.settled = l.settled || name == TypePlan && asked[TypeInherit] // which comes first
		asked[name] = true
		if name != TypeApply {
			continue
		}
		var in ApplyInput
		if err := fromPayloads(a.GetInput(), &in); err != nil {
			return err
		}
		l.touched = append(l.touched, in.touched(l.release))
	}
	l.settled = l.settled && !reset // else the run before the reset may have left more
	return nil
}

// touched is how the batch of an apply is taken back.
func (in ApplyInput) touched(release string) Touched {
	n := in.To - in.From - len(in.Previous.Absent) - len(in.Previous.Others[release])
	if in.Previous.Common == release {
		n = -len(in.Previous.Others[release])
		for _, ids := range in.Previous.Others {
			n += len(ids)
		}
	}
	return Touched{Batch: in.Batch, Previous: in.Previous, Count: n, Back: in.Fence + 1}
}

func fromPayloads(p *commonpb.Payloads, out any) error {
	return converter.GetDefaultDataConverter().FromPayloads(p, out)
}

// isReset says that an event is where a run was reset: what came before is another's.
func isReset(e *historypb.HistoryEvent) bool {
	return e.GetWorkflowTaskFailedEventAttributes().GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
}

// resetOf is the run of which a history is the newest reset.
func resetOf(it client.HistoryEventIterator) (base string, err error) {
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return "", err
		}
		if isReset(e) {
			base = e.GetWorkflowTaskFailedEventAttributes().GetBaseRunId()
		}
	}
	if base == "" {
		return "", errors.New("its history has no reset")
	}
	return base, nil
}
