package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

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
	isNew := func(key Touched, id string) bool {
		key.Back, key.Count, key.Only = 0, 0, nil
		text := fmt.Sprintf("%+v %s", key, id)
		was := seen[text]
		seen[text] = true
		return !was
	}
	for _, t := range touched {
		if t.Only != nil {
			t.Only = slices.DeleteFunc(slices.Clone(t.Only), func(id string) bool { return !isNew(t, id) })
			t.Count = len(t.Only)
		}
		if t.Only == nil && isNew(t, "") || len(t.Only) > 0 {
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
