package activities

import (
	"errors"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/rollout"
)

// submission is the part of a submission that tells what a run was to do.
type submission struct {
	PlanInput
	Undo struct {
		Run string `json:"run"`
	} `json:"undo"`
	Carried struct {
		State   rollout.State `json:"state"`
		Touched []Touched     `json:"touched"`
		Back    struct {
			Left []struct {
				Exposure Touched  `json:"exposure"`
				Only     []string `json:"only"`
				Lost     bool     `json:"lost"`
			} `json:"left"`
		} `json:"back"`
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
			l.carried(sub)
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
		if !in.Inherited {
			l.found(in.Batch, in.Previous, in.Only, in.Fence)
		}
	}
	return nil
}

// found adds targets that the run took back although nothing before says that it had touched them:
// it had found them on its release, where another history had put them, one that is lost with a
// restored database for example, or where they were before their batch was applied.
func (l *left) found(b Batch, previous Previous, only []string, back int64) {
	ids := slices.Clone(only)
	for _, t := range l.touched {
		if !t.sameTargets(b) {
			continue
		}
		before := t.Previous.ByID()
		ids = slices.DeleteFunc(ids, func(id string) bool {
			was, known := before(id)
			return known && was != l.release && (t.Only == nil || slices.Contains(t.Only, id))
		})
	}
	if len(ids) > 0 {
		l.touched = append(l.touched, Touched{Batch: b, Previous: previous, Count: len(ids), Only: ids, Back: back})
	}
}

// carried adds what a run was given along by the one that it continues.
func (l *left) carried(sub submission) {
	fence := sub.Carried.State.Fence
	l.takeBack(sub.Carried.Touched, fence)
	for _, x := range sub.Carried.Back.Left {
		if !x.Lost { // else nobody knows where it goes back to
			l.found(x.Exposure.Batch, x.Exposure.Previous, x.Only, fence+1)
		}
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
