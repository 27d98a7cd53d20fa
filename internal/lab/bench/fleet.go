package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// trip is what it took to get a fleet forward and back.
type trip struct{ prepare, forward, back leg }

// leg is one way of a trip: its time in seconds, and what all processes used of the cores for it,
// in seconds too.
type leg struct{ took, cpu float64 }

// delays are how long the measured targets take to answer: no time at all, which keeps the machine
// busy, and about what a network and an agent take.
func delays() []time.Duration { return []time.Duration{0, 20 * time.Millisecond} }

// measureFleet takes a large fleet forward and back: by a rollout that is aborted while it bakes,
// and by bare goroutines that make the same HTTP calls.
func measureFleet(ctx context.Context, o options) (*table.Table, error) {
	r, err := newRig(ctx, o)
	defer r.close()
	if err != nil {
		return nil, err
	}
	if err := r.Simulate(ctx, o.targets, unit, before, "--rps-per-target", "1"); err != nil {
		return nil, err
	}
	f, err := r.Fleet()
	if err != nil {
		return nil, err
	}
	m := newMetered(r.activities(), r.used)
	if err := r.work(m); err != nil {
		return nil, err
	}
	s, err := specOf(unit, after, "http: {}", "  - {name: everyone, reach: 100%, bake: 1h}", "scrape: {baseline: 1s}, every: 2s")
	if err != nil {
		return nil, err
	}
	t := &table.Table{
		Title: fmt.Sprintf("%d targets forward and back: a rollout against bare goroutines with the same HTTP calls", o.targets),
		Head:  tripHead("targets answer in", "way"),
	}
	for _, delay := range delays() {
		if err := newDirect(f).slow(ctx, delay); err != nil {
			return nil, err
		}
		sluice, bare, err := r.trips(ctx, o, m, s, f)
		if err != nil {
			return nil, err
		}
		addTrips(t, []string{delay.String()}, []way{
			{"forward: observe all, then apply to all", func(x trip) leg { return x.forward }},
			{"back: from the abort to the outcome", func(x trip) leg { return x.back }},
		}, sluice, bare, o.targets)
	}
	t.Note("Simulated targets in one process; 3 requests per target each way; parallel %d forward and %d back, batches of %d. "+
		"Processor time is that of the worker, the targets and the Temporal server together. %s",
		s.Apply.Parallel, s.Rollback.Parallel, s.Apply.Batch, o.medians())
	return t, nil
}

// used is the processor time of the worker, the targets and the server.
func (r *rig) used() float64 { return cpuOf(os.Getpid(), r.Sim.PID(), r.Temporal.PID()) }

// trips makes them in turns.
func (r *rig) trips(ctx context.Context, o options, m *metered, s spec.Spec, f fleet.Fleet) (sluice, bare []trip, err error) {
	for i := 0; o.more(i); i++ {
		one, err := r.trip(ctx, m, s, f)
		if err != nil {
			return nil, nil, err
		}
		if wrong, err := r.LeftWrong(ctx, before); err != nil || wrong > 0 {
			return nil, nil, errors.Join(err, fmt.Errorf("%d targets are not back", wrong))
		}
		other, err := r.directTrip(ctx, s, f)
		if err != nil {
			return nil, nil, err
		}
		if i > 0 { // the first warms up
			sluice, bare = append(sluice, one), append(bare, other)
		}
	}
	return sluice, bare, nil
}

// tripHead is the head of a table of trips, after what tells its rows apart.
func tripHead(rows ...string) []string {
	return append(rows, "rollout, s", "bare goroutines, s", "ratio", "rollout, µs of a core per target", "bare goroutines, µs", "ratio")
}

// way is a row about a part of trips.
type way struct {
	name string
	of   func(trip) leg
}

func addTrips(t *table.Table, first []string, ways []way, sluice, bare []trip, targets int) {
	for _, row := range ways {
		took := func(x trip) float64 { return row.of(x).took }
		cpu := func(x trip) float64 { return row.of(x).cpu * 1e6 / float64(targets) }
		a, b, c, d := each(sluice, took), each(bare, took), each(sluice, cpu), each(bare, cpu)
		t.Add(append(slices.Clone(first), row.name, spread(a, "%.2f"), spread(b, "%.2f"), spread(ratios(a, b), "%.2f"),
			spread(c, "%.0f"), spread(d, "%.0f"), spread(ratios(c, d), "%.2f"))...)
	}
}

// trip runs a rollout and aborts it.
func (r *rig) trip(ctx context.Context, m *metered, s spec.Spec, f fleet.Fleet) (trip, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	m.reset()
	run, err := r.start(ctx, s, f)
	if err != nil {
		return trip{}, err
	}
	if err := r.until(ctx, run, rollout.PhaseBake); err != nil {
		return trip{}, err
	}
	time.Sleep(time.Second) // let the watch begin, as it would have
	aborted, used := time.Now(), m.used()
	err = r.client.SignalWorkflow(ctx, connect.WorkflowID(unit), "", rollout.SignalAbort, rollout.ControlRequest{By: "bench"})
	if err != nil {
		return trip{}, err
	}
	if err := result(ctx, run, rollout.PhaseAborted); err != nil {
		return trip{}, err
	}
	used = m.used() - used
	h, err := historyOf(ctx, r.client, run)
	if err != nil {
		return trip{}, err
	}
	forward := h.span(activities.TypeObserve) + h.span(activities.TypeApply)
	return trip{
		prepare: leg{h.span(activities.TypePrepare).Seconds(), m.spent(activities.TypePrepare)},
		forward: leg{forward.Seconds(), m.spent(activities.TypeObserve, activities.TypeApply)},
		back:    leg{h.ended().Sub(aborted).Seconds(), used},
	}, nil
}

// directTrip takes the fleet forward and back without Sluice. Its fences are those of a rollout
// that starts now.
func (r *rig) directTrip(ctx context.Context, s spec.Spec, f fleet.Fleet) (trip, error) {
	d := newDirect(f)
	defer d.client.CloseIdleConnections()
	fence, used := time.Now().UnixMilli()*2, r.used()
	forward, err := d.forward(ctx, after, fence, s.Apply.Parallel)
	if err != nil {
		return trip{}, err
	}
	half := r.used()
	back, err := d.back(ctx, before, fence+1, s.Rollback.Parallel)
	return trip{forward: leg{forward.Seconds(), half - used}, back: leg{back.Seconds(), r.used() - half}}, err
}
