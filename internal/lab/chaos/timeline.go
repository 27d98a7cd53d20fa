package main

import (
	"errors"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/rollout"
)

// phaseOf is the phase that a rollout says it is in.
func phaseOf(s rollout.State) phase {
	if s.Outcome != nil {
		return ended
	}
	switch s.Phase {
	case rollout.PhaseObserve:
		return observe
	case rollout.PhaseApply:
		return apply
	case rollout.PhaseBake, rollout.PhaseApproval, rollout.PhaseTurn:
		return bake
	case rollout.PhaseGate:
		return gate
	case rollout.PhaseHold:
		return hold
	case rollout.PhaseRollback:
		return rollback
	case rollout.PhaseVerify:
		return verify
	default:
		return plan
	}
}

// timeline is when a rollout entered which phase, by its history.
type timeline []mark

type mark struct {
	at    time.Time
	phase phase
}

// timelineOf reads the histories of a rollout's runs, oldest first: what it was about at an
// instant, to the millisecond and whoever was dead just then. A run that is a reset begins with a
// copy of an earlier one.
func timelineOf(runs ...*historypb.History) timeline {
	t, events, known := timeline{}, []*historypb.HistoryEvent(nil), time.Time{}
	for _, h := range runs {
		for _, e := range h.GetEvents() {
			if !e.GetEventTime().AsTime().Before(known) {
				events = append(events, e)
			}
		}
		if n := len(events); n > 0 {
			known = events[n-1].GetEventTime().AsTime()
		}
	}
	for _, e := range events {
		now := before
		if len(t) > 0 {
			now = t[len(t)-1].phase
		}
		next := now
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			if e.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId() == "" {
				next = plan
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			next = ended
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			next = phaseOfActivity(e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName(), now)
		}
		if next != now {
			t = append(t, mark{at: e.GetEventTime().AsTime(), phase: next})
		}
	}
	return t
}

// phaseOfActivity is the phase that an activity belongs to. One that is not known changes nothing.
func phaseOfActivity(name string, now phase) phase {
	switch name {
	case activities.TypePlan, activities.TypeValidate, activities.TypePreflight:
		return plan
	case activities.TypePrepare:
		return prepare
	case activities.TypeSettle:
		return settle
	case activities.TypeObserve, activities.TypeBaseline, activities.TypeFindStragglers:
		return observe
	case activities.TypeApply:
		return apply
	case activities.TypeWatch:
		if now == gate {
			return hold
		}
		if now == apply || now == observe { // nothing to apply where all run it already
			return bake
		}
	case activities.TypeGate:
		return gate
	case activities.TypeRevert:
		return rollback
	case activities.TypeRecover:
		return verify
	}
	return now
}

// at is the phase at an instant.
func (t timeline) at(when time.Time) phase {
	p := before
	for _, m := range t {
		if m.at.After(when) {
			break
		}
		p = m.phase
	}
	return p
}

// touches says whether a phase was on at some time of a span.
func (t timeline) touches(p phase, from, to time.Time) bool {
	return t.at(from) == p || slices.ContainsFunc(t, func(m mark) bool { return m.phase == p && m.at.After(from) && m.at.Before(to) })
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*serviceerror.NotFound](err)
	return ok
}
