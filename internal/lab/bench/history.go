package main

import (
	"context"
	"strings"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

// history is a closed workflow's events.
type history []*historypb.HistoryEvent

func historyOf(ctx context.Context, c client.Client, run client.WorkflowRun) (history, error) {
	h, err := stack.History(ctx, c, run.GetID(), run.GetRunID())
	return h.GetEvents(), err
}

// took is the time from the first event to the last, by the server's clock.
func (h history) took() time.Duration { return h.ended().Sub(h[0].GetEventTime().AsTime()) }

// ended is when the workflow did.
func (h history) ended() time.Time { return h[len(h)-1].GetEventTime().AsTime() }

// first is when the first activity of a type was scheduled; zero where there was none.
func (h history) first(activity string) time.Time {
	for _, e := range h {
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity {
			return e.GetEventTime().AsTime()
		}
	}
	return time.Time{}
}

// span is the time from when the first activity of a type was scheduled to when the last of them
// ended; 0 where there was none.
func (h history) span(activity string) time.Duration {
	scheduled := map[int64]bool{}
	var first, last time.Time
	for _, e := range h {
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
	return last.Sub(first)
}

// counts tells the events apart.
func (h history) counts() counts {
	var c counts
	for _, e := range h {
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
