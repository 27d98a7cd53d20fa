package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

const (
	// trainUnit has the releases whose train's events are counted, of trainStages stages each.
	trainUnit   = "counted"
	trainStages = 2
)

// measureTrainEvents counts what releases that follow each other add to the history of their train.
func (r *rig) measureTrainEvents(ctx context.Context, o options, t *table.Table) error {
	from := 1
	for _, to := range []int{5, 20, 50} {
		if time.Now().After(o.until) {
			t.Note("Releases %d to %d were not counted: the %s were over.", from, to, o.limit)
			break
		}
		c, err := r.trainEvents(ctx, from, to)
		if err != nil {
			return err
		}
		n := float64(to - from + 1)
		t.Add(fmt.Sprintf("events of the train per release, releases %d to %d", from, to),
			fmt.Sprintf("%.1f (%.1f without those of workflow tasks)", float64(c.total())/n, float64(c.activities+c.others)/n), "-", "-")
		from = to + 1
	}
	t.Note("Those releases follow each other, with %d stages. "+
		"What a train does each minute while a release is under way is not counted there.", trainStages)
	return nil
}

// trainEvents has releases follow each other in a train, each promoted before the next, and counts
// what they have added to its history.
func (r *rig) trainEvents(ctx context.Context, from, to int) (counts, error) {
	had := 0
	if from > 1 {
		h, err := r.trainHistory(ctx)
		if err != nil {
			return counts{}, err
		}
		had = len(h)
	}
	for i := from; i <= to; i++ {
		s, err := stagesOf(trainStages, fmt.Sprintf("3.%d.0", i))
		if err != nil {
			return counts{}, err
		}
		s.Unit, s.Train = trainUnit, &spec.Train{}
		run, err := r.start(ctx, s, named(trainStages))
		if err != nil {
			return counts{}, err
		}
		if err := errors.Join(r.promoted(ctx, run), r.idle(ctx, train.Number(i))); err != nil {
			return counts{}, err
		}
	}
	h, err := r.trainHistory(ctx)
	if err != nil {
		return counts{}, err
	}
	return h[had:].withoutLooks().counts(), nil
}

// trainHistory is all that a train has done so far.
func (r *rig) trainHistory(ctx context.Context) (history, error) {
	h, err := stack.History(ctx, r.client, connect.Deployment("").TrainID(trainUnit), "")
	return h.GetEvents(), err
}

// idle waits until nothing is under way in the train, after the release with a number.
func (r *rig) idle(ctx context.Context, last train.Number) error {
	for {
		var l train.Ledger
		v, err := r.client.QueryWorkflow(ctx, connect.Deployment("").TrainID(trainUnit), "", connect.QueryLedger)
		if err == nil && v.Get(&l) == nil && l.Last == last && len(l.Open) == 0 {
			return nil
		}
		if err := pause.For(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("never saw the train idle: %w", err)
		}
	}
}

// withoutLooks leaves out the timers of a train, and its looks after rollouts: they depend on how
// long these take.
func (h history) withoutLooks() history {
	var out history
	looks := map[int64]bool{}
	for _, e := range h {
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activities.TypeLookAfter {
			looks[e.GetEventId()] = true
		}
		started, completed := e.GetActivityTaskStartedEventAttributes(), e.GetActivityTaskCompletedEventAttributes()
		id := cmp.Or(started.GetScheduledEventId(), completed.GetScheduledEventId(), e.GetEventId())
		timer := e.GetTimerStartedEventAttributes() != nil || e.GetTimerFiredEventAttributes() != nil
		if !timer && !looks[id] {
			out = append(out, e)
		}
	}
	return out
}
