package main

import (
	"context"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/activities"
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
	first, last := h.bounds(activity)
	return last.Sub(first)
}

func (h history) bounds(activity string) (first, last time.Time) {
	scheduled := map[int64]bool{}
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
	return first, last
}

// ended is when the last activity of a type ended; of none, when the workflow did.
func (h history) ended(activity string) time.Time {
	if activity == "" {
		return h.events[len(h.events)-1].GetEventTime().AsTime()
	}
	_, last := h.bounds(activity)
	return last
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

// counts tells the events apart.
func (h history) counts() counts {
	var c counts
	for _, e := range h.events {
		c.bytes += proto.Size(e)
		switch name := e.GetEventType().String(); {
		case strings.HasPrefix(name, "ActivityTask"):
			c.activities++
		case strings.HasPrefix(name, "WorkflowTask"):
			c.tasks++
		default:
			c.others++
		}
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activities.TypeApply {
			c.batches++
		}
	}
	return c
}
