package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
)

// inMemory are unjudged activities over targets that exist only by name: how many events a history
// has does not depend on what happens at a target.
type inMemory struct{ unjudged }

func newInMemory(r *rig) *inMemory { return &inMemory{unjudged{r.activities()}} }

// Observe finds the old release everywhere.
func (*inMemory) Observe(ctx context.Context, _ activities.ObserveInput) (activities.Observed, error) {
	someTime()
	return activities.Observed{Previous: activities.Previous{Common: before}}, ctx.Err()
}

// Apply succeeds on every target.
func (*inMemory) Apply(ctx context.Context, in activities.ApplyInput) (activities.Applied, error) {
	someTime()
	return activities.Applied{Changed: in.To - in.From}, ctx.Err()
}

// someTime is what a batch takes, so that answers seldom coincide: each then costs the workflow a
// task of its own, as with real targets.
func someTime() { time.Sleep(20*time.Millisecond + rand.N(40*time.Millisecond)) }

// Watch sees nothing until the bake is over.
func (*inMemory) Watch(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
	return passed(in.Until, in.Watched), pause.For(ctx, time.Until(in.Until))
}

// eventStages is how many stages the measured rollouts have, and eventBake how long each bakes;
// more of it makes no more events.
const (
	eventStages = 5
	eventBake   = 300 * time.Millisecond
)

// eventGoal is what 100,000 targets in five stages may cost.
const eventGoal = 2000

// measureEvents counts the events of rollouts' histories.
func measureEvents(ctx context.Context, o options) (*table.Table, error) {
	r, err := newRig(ctx, o)
	defer r.close()
	if err != nil {
		return nil, err
	}
	if err := r.work(newInMemory(r)); err != nil {
		return nil, err
	}
	s, err := stagesOf(1, after)
	if err != nil {
		return nil, err
	}
	t := &table.Table{
		Title: "History: events of a whole rollout",
		Head:  []string{"targets", "stages", "batches", "activities' events", "workflow tasks' events", "others", "total", "KiB"},
	}
	for _, n := range []int{1, 1_000, 10_000, 100_000} {
		stages := min(n, eventStages) // a stage has at least one target
		c, err := r.countEvents(ctx, n, stages)
		if err != nil {
			return nil, err
		}
		t.Add(fmt.Sprint(n), fmt.Sprint(stages), fmt.Sprint(c.batches),
			fmt.Sprint(c.activities), fmt.Sprint(c.tasks), fmt.Sprint(c.others), fmt.Sprint(c.total()), fmt.Sprint(c.bytes>>10))
	}
	t.Note("Real workflow and real server; the targets are in memory and judging answers PASS at once. "+
		"Batches of %d, the default. The goal is fewer than %d events for 100,000 targets in five stages. "+
		"Activities' and others' events are exact, and asserted by a test; "+
		"those of workflow tasks depend on how many answers come at once.", s.Apply.Batch, eventGoal)
	return t, nil
}

// counts are how many events there are of each kind.
type counts struct {
	// activities are scheduled, started and ended activities, tasks those of workflow tasks, which
	// depend on how answers coincide, and others the rest.
	activities, tasks, others int
	batches, bytes            int
}

func (c counts) total() int { return c.activities + c.tasks + c.others }

// countEvents runs a rollout over n targets in memory.
func (r *rig) countEvents(ctx context.Context, n, stages int) (counts, error) {
	s, err := stagesOf(stages, after)
	if err != nil {
		return counts{}, err
	}
	for i := range s.Stages {
		s.Stages[i].Bake = spec.Duration(eventBake)
	}
	h, err := r.rollout(ctx, s, named(n))
	if err != nil {
		return counts{}, err
	}
	return h.counts(), nil
}

// named is a fleet of which nothing exists but the names.
func named(n int) fleet.Fleet {
	f := fleet.Fleet{Targets: make([]fleet.Target, n)}
	for i := range f.Targets {
		id := fmt.Sprintf("t-%06d", i)
		f.Targets[i] = fleet.Target{ID: id, Address: id + ":1"}
	}
	return f
}
