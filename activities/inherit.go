package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// InheritInput asks what earlier runs of a rollout's workflow have left behind: one that was
// terminated or reset took nothing back.
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
	// Ended is how the newest earlier run ended; nil if it did not end by itself or, for a reset,
	// is not the run that was reset.
	Ended *rollout.Outcome `json:"ended,omitempty"`
	// Closed says that the run that was reset had ended by itself.
	Closed bool `json:"closed,omitempty"`
}

const (
	// maxEarlier is how many earlier runs are looked at.
	maxEarlier = 20
	// maxInherited bounds an answer, which is limited to 2 MB.
	maxInherited = 1 << 20
)

// Inherit reads the histories of earlier runs, newest first, back to one that has ended by itself:
// that one has left nothing that its outcome does not name.
func (a *Activities) Inherit(ctx context.Context, in InheritInput) (Inherited, error) {
	defer living(ctx)()
	me, c := activity.GetInfo(ctx).WorkflowExecution, activity.GetClient(ctx)
	read := func(run string, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
		return c.GetWorkflowHistory(ctx, me.ID, run, false, filter)
	}
	if in.Undo != "" {
		return undone(in.Undo, read)
	}
	var base string
	if in.Reset {
		var err error
		base, err = resetOf(read(me.RunID, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT))
		if err != nil {
			return Inherited{}, fmt.Errorf("read of which run this is a reset: %w", err)
		}
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
	var runs []string
	for _, e := range infos {
		if id := e.GetExecution().GetRunId(); id != me.RunID {
			runs = append(runs, id)
		}
	}
	switch known := base == "" || slices.Contains(runs, base); {
	case !known && len(infos) < maxEarlier: // the list may not have it yet
		runs = slices.Insert(runs, 0, base)
	case !known:
		runs = append(runs, base)
	}
	return inherit(runs, base, read)
}

// reader reads the history of a run.
type reader = func(run string, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator

// undone is all that a run has touched, to be taken back by an order of now: of a reset, also what
// the run that was reset had done after that point. A run that Temporal does not keep any more
// cannot be undone.
func undone(run string, read reader) (Inherited, error) {
	var out Inherited
	seen := map[string]bool{}
	for at := run; at != ""; {
		var l left
		if err := l.read(read(at, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)); err != nil {
			err = fmt.Errorf("read what run %s has touched: %w", at, err)
			if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
				return Inherited{}, invalid(err)
			}
			return Inherited{}, err
		}
		out.Touched = append(out.Touched, fresh(l.touched, seen)...)
		at = l.base
	}
	for i := range out.Touched {
		out.Touched[i].Back = 0
	}
	if n := rollout.JSONSize(out); n > maxInherited {
		return Inherited{}, invalid(fmt.Errorf("what run %s has touched takes %d bytes, at most %d can be carried", run, n, maxInherited))
	}
	return out, nil
}

// fresh are those of some batches that were not seen before: a reset repeats what came before it.
func fresh(touched []Touched, seen map[string]bool) []Touched {
	var out []Touched
	for _, t := range touched {
		key := t
		key.Back, key.Count = 0, 0
		if text := fmt.Sprintf("%+v", key); !seen[text] {
			seen[text] = true
			out = append(out, t)
		}
	}
	return out
}

// inherit goes through runs, newest first; base is the one that was reset, if any. One that
// Temporal does not keep any more is the last that can be known.
func inherit(runs []string, base string, read reader) (Inherited, error) {
	var out Inherited
	seen := map[string]bool{}
	if base != "" {
		l, err := leftBy(base, read)
		if _, gone := errors.AsType[*serviceerror.NotFound](err); err != nil && !gone {
			return Inherited{}, fmt.Errorf("read how run %s had ended, which was reset: %w", base, err)
		}
		out.Closed = err == nil && l.ended()
	}
	for _, run := range runs {
		l, err := leftBy(run, read)
		if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
			break
		}
		if err != nil {
			return Inherited{}, fmt.Errorf("read what run %s has left: %w", run, err)
		}
		if l.ended() {
			if len(out.From) == 0 && (base == "" || run == base) {
				out.Ended = l.outcome
			}
			break
		}
		if more := fresh(l.touched, seen); len(more) > 0 {
			out.From = append(out.From, fmt.Sprintf("run %s of %s, which was %s", run, l.release, l.how))
			out.Touched = append(more, out.Touched...)
		}
		if l.cleared {
			break
		}
	}
	if n := rollout.JSONSize(out); n > maxInherited {
		return Inherited{}, invalid(fmt.Errorf("what %d earlier runs have left takes %d bytes, at most %d can be carried",
			len(out.From), n, maxInherited))
	}
	return out, nil
}

// submission is the part of a submission that tells what a run was to do.
type submission struct {
	PlanInput
	Undo struct {
		Run string `json:"run"`
	} `json:"undo"`
	Carried struct {
		State   rollout.State `json:"state"`
		Touched []Touched     `json:"touched"`
	} `json:"carried"`
}

// left is what a run has left behind.
type left struct {
	release, how string
	// outcome is set for a run that has ended by itself.
	outcome *rollout.Outcome
	touched []Touched
	// cleared says that it had taken back first what those before it had left.
	cleared bool
	// base is the run of which it is a reset.
	base string
}

// ended says that a run has ended by itself, and has left nothing that its outcome does not name.
func (l left) ended() bool { return l.outcome != nil && l.outcome.Result != rollout.PhaseRefused }

// leftBy reads how a run ended and, if not by itself, what it had touched.
func leftBy(run string, read reader) (left, error) {
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

// read reads from a history which batches a run has touched: those that it was given along, those
// whose apply it has asked for, those that it was to take back in an undo, and those that it took
// back although it knew of no apply (found).
func (l *left) read(it client.HistoryEventIterator) error {
	asked := map[string]bool{}
	var sub submission
	var start time.Time
	recall := int64(-1) // the event that asks what is to be undone
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return err
		}
		if isReset(e) {
			l.base = e.GetWorkflowTaskFailedEventAttributes().GetBaseRunId()
		}
		if s := e.GetWorkflowExecutionStartedEventAttributes(); s != nil {
			start = e.GetEventTime().AsTime()
			if err := fromPayloads(s.GetInput(), &sub); err != nil {
				return err
			}
			l.release = sub.Spec.Release
			l.takeBack(sub.Carried.Touched, sub.Carried.State.Fence)
		}
		if c := e.GetActivityTaskCompletedEventAttributes(); c != nil && c.GetScheduledEventId() == recall {
			var undoes Inherited
			if err := fromPayloads(c.GetResult(), &undoes); err != nil {
				return err
			}
			l.takeBack(undoes.Touched, rollout.Fence(start))
		}
		a := e.GetActivityTaskScheduledEventAttributes()
		name := a.GetActivityType().GetName()
		l.cleared = l.cleared || name == TypePlan && asked[TypeInherit] // which comes first
		asked[name] = true
		if name == TypeInherit && sub.Undo.Run != "" {
			recall = e.GetEventId()
		}
		if err := l.order(name, a.GetInput()); err != nil {
			return err
		}
	}
	l.cleared = l.cleared && l.base == "" // else the run before the reset may have left more
	return nil
}

// order adds what an activity may change, if it is an order to targets.
func (l *left) order(activity string, input *commonpb.Payloads) error {
	switch activity {
	case TypeApply:
		var in ApplyInput
		if err := fromPayloads(input, &in); err != nil {
			return err
		}
		l.touched = append(l.touched, in.touched(l.release))
	case TypeRevert:
		var in RevertInput
		if err := fromPayloads(input, &in); err != nil {
			return err
		}
		l.found(in)
	}
	return nil
}

// found adds targets that the run took back although nothing before says that it had touched them:
// it had found them on its release, where another history had put them, one that is lost with a
// restored database for example.
func (l *left) found(in RevertInput) {
	if in.Inherited {
		return
	}
	ids := slices.Clone(in.Only)
	for _, t := range l.touched {
		if !t.sameTargets(in.Batch) {
			continue
		}
		if t.Only == nil {
			return
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(t.Only, id) })
	}
	if len(ids) > 0 {
		l.touched = append(l.touched, Touched{Batch: in.Batch, Previous: in.Previous, Count: len(ids), Only: ids, Back: in.Fence})
	}
}

// takeBack adds batches that a run with this fence was still to take back, or would have.
func (l *left) takeBack(touched []Touched, fence int64) {
	for _, t := range touched {
		if t.Back == 0 {
			t.Back = fence + 1
		}
		l.touched = append(l.touched, t)
	}
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
