package main

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// history is what was read of a closed workflow's events.
type history struct {
	events []*historypb.HistoryEvent
}

func historyOf(ctx context.Context, c client.Client, run client.WorkflowRun) (history, error) {
	var h history
	it := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return h, err
		}
		h.events = append(h.events, e)
	}
	return h, nil
}

// took is the time from the first event to the last, by the server's clock.
func (h history) took() time.Duration {
	return h.events[len(h.events)-1].GetEventTime().AsTime().Sub(h.events[0].GetEventTime().AsTime())
}

// span is the time from when the first activity of a type was scheduled to when
// the last of them ended; 0 where there was none.
func (h history) span(activity string) time.Duration {
	scheduled := map[int64]bool{}
	var first, last time.Time
	for _, e := range h.events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil && a.GetActivityType().GetName() == activity {
			scheduled[e.GetEventId()] = true
			if first.IsZero() {
				first = e.GetEventTime().AsTime()
			}
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil && scheduled[a.GetScheduledEventId()] {
			last = e.GetEventTime().AsTime()
		}
	}
	if last.IsZero() {
		return 0
	}
	return last.Sub(first)
}

// counts are how many events there are of each kind.
type counts struct {
	// Activities are scheduled, started and ended activities, Tasks those of
	// workflow tasks, which depend on how answers coincide, and Others the rest.
	Activities, Tasks, Others int
}

func (c counts) total() int { return c.Activities + c.Tasks + c.Others }

func (h history) counts() counts {
	var c counts
	for _, e := range h.events {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
			enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
			enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED, enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
			c.Activities++
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
			enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
			c.Tasks++
		default:
			c.Others++
		}
	}
	return c
}

// activities is how many there were.
func (h history) activities() int {
	n := 0
	for _, e := range h.events {
		if e.GetActivityTaskScheduledEventAttributes() != nil {
			n++
		}
	}
	return n
}
