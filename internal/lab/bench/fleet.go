package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// trip is how long a fleet took forward and back.
type trip struct {
	// forward is reading what every target runs, and putting the release on it.
	forward time.Duration
	// ordered is from the abort until the last target has accepted the order to go
	// back, seen until it was seen to be back, and ended until the outcome.
	ordered, seen, ended time.Duration
}

// delays are how long the measured targets take to answer: no time at all, which
// keeps the machine busy, and about what a network and an agent take.
func delays() []time.Duration { return []time.Duration{0, 20 * time.Millisecond} }

// measureFleet takes a large fleet forward and back: by a rollout that is aborted
// while it bakes, and by bare goroutines that make the same HTTP calls.
func measureFleet(ctx context.Context, o options) (*table.Table, error) {
	r, err := newRig(ctx, o)
	defer r.close()
	if err != nil {
		return nil, err
	}
	if err := r.Simulate(ctx, o.targets, unit, before, "--rps-per-target", "1"); err != nil {
		return nil, err
	}
	f, err := r.fleet()
	if err != nil {
		return nil, err
	}
	if err := r.work(r.activities()); err != nil {
		return nil, err
	}
	s, err := parse(fmt.Sprintf(`unit: %s
release: %q
fleet: fleet.yaml
driver: {http: {}}
stages: [{name: everyone, reach: 100%%, bake: 1h}]
health:
  scrape: {baseline: 1s}
  every: 2s
  checks: [{name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 10%%}]
`, unit, after))
	if err != nil {
		return nil, err
	}
	t := &table.Table{
		Title: fmt.Sprintf("%d targets forward and back: a rollout against bare goroutines with the same HTTP calls", o.targets),
		Head:  []string{"targets answer in", "", "rollout, s", "bare goroutines, s", "ratio"},
	}
	for _, delay := range delays() {
		if err := newDirect(f).slow(ctx, delay); err != nil {
			return nil, err
		}
		sluice, bare, err := r.trips(ctx, o, s, f)
		if err != nil {
			return nil, err
		}
		addTrips(t, delay, sluice, bare)
	}
	t.Note("Simulated targets in one process; 3 requests per target each way; parallel %d forward and %d back, batches of %d. Medians of %d runs in turns (least to most).",
		s.Apply.Parallel, s.Rollback.Parallel, s.Apply.Batch, o.repeat)
	return t, nil
}

// trips makes them in turns.
func (r *rig) trips(ctx context.Context, o options, s spec.Spec, f fleet.Fleet) (sluice, bare []trip, err error) {
	for i := range o.repeat + 1 {
		one, err := r.trip(ctx, s, f)
		if err != nil {
			return nil, nil, err
		}
		other, err := directTrip(ctx, s, f)
		if err != nil {
			return nil, nil, err
		}
		if i > 0 { // the first warms up
			sluice, bare = append(sluice, one), append(bare, other)
		}
	}
	return sluice, bare, nil
}

func addTrips(t *table.Table, delay time.Duration, sluice, bare []trip) {
	for _, row := range []struct {
		name string
		of   func(trip) time.Duration
	}{
		{"forward: observe all, then apply to all", func(x trip) time.Duration { return x.forward }},
		{"back: from the abort to the last accepted order", func(x trip) time.Duration { return x.ordered }},
		{"back: from the abort until all were seen to be back", func(x trip) time.Duration { return x.seen }},
		{"back: from the abort to the outcome", func(x trip) time.Duration { return x.ended }},
	} {
		a, b := seconds(each(sluice, row.of)), seconds(each(bare, row.of))
		t.Add(delay.String(), row.name, spread(a, "%.2f"), spread(b, "%.2f"), spread(ratios(a, b), "%.2f"))
	}
}

// trip runs a rollout and aborts it.
func (r *rig) trip(ctx context.Context, s spec.Spec, f fleet.Fleet) (trip, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	run, err := r.start(ctx, s, f)
	if err != nil {
		return trip{}, err
	}
	if err := r.until(ctx, run, rollout.PhaseBake); err != nil {
		return trip{}, err
	}
	time.Sleep(time.Second) // let the watch begin, as it would have
	aborted := time.Now()
	if err := r.client.SignalWorkflow(ctx, connect.WorkflowID(unit), "", rollout.SignalAbort, rollout.ControlRequest{By: "bench"}); err != nil {
		return trip{}, err
	}
	state, err := result(ctx, run, rollout.PhaseAborted)
	if err != nil {
		return trip{}, err
	}
	h, err := historyOf(ctx, r.client, run)
	if err != nil {
		return trip{}, err
	}
	last, err := r.lastOrder(ctx, state.Fence+1, len(f.Targets))
	if err != nil {
		return trip{}, err
	}
	return trip{
		forward: h.span(activities.TypeObserve) + h.span(activities.TypeApply),
		ordered: last.Sub(aborted), seen: h.ended(activities.TypeRevert).Sub(aborted), ended: h.ended("").Sub(aborted),
	}, nil
}

// lastOrder is when the last target accepted an order of a fence; all must have.
func (r *rig) lastOrder(ctx context.Context, fence int64, targets int) (time.Time, error) {
	orders, err := r.Orders(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var last time.Time
	accepted := map[string]bool{} // a batch that was tried again orders again
	for _, e := range orders {
		if e.Fence == fence && e.Accepted {
			accepted[e.Target], last = true, e.Time
		}
	}
	if len(accepted) != targets {
		return last, fmt.Errorf("%d targets accepted the way back, expected %d", len(accepted), targets)
	}
	return last, nil
}

// directTrip takes the fleet forward and back without Sluice. Its fences are those
// of a rollout that starts now.
func directTrip(ctx context.Context, s spec.Spec, f fleet.Fleet) (trip, error) {
	d := newDirect(f)
	defer d.client.CloseIdleConnections()
	fence := time.Now().UnixMilli() * 2
	forward, err := d.forward(ctx, after, fence, s.Apply.Parallel)
	if err != nil {
		return trip{}, err
	}
	began := time.Now()
	back, errBack := d.back(ctx, before, fence+1, s.Rollback.Parallel)
	if err := errors.Join(err, errBack); err != nil {
		return trip{}, err
	}
	return trip{forward: forward, ordered: d.ordered().Sub(began), seen: back, ended: back}, nil
}
