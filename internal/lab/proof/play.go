package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

// result is what became of one outage's change, or of one good change.
type result struct {
	Outage outages.Outage `json:"outage"`
	// First is the share of the fleet that the first cohort is.
	First float64 `json:"firstCohort"`
	// Ways are the ways without a gate, in the order of outages.Ways; of a good change none.
	Ways []rehearsal.Played `json:"ways,omitempty"`
	// Gated are the rollouts of Sluice, one for each seed.
	Gated []rehearsal.Played `json:"gated"`
}

// job is one deployment, and where it is kept.
type job struct {
	outage outages.Outage
	way    outages.Way
	plan   plan.Plan
	seed   uint64
	into   *rehearsal.Played
}

// quickly are the good changes of --quick.
const quickly = 3

// play plays all outages in all ways. What comes out does not depend on how many are played at
// once.
func (o options) play(ctx context.Context, all []outages.Outage, c catalog.Catalog, done func(done, of int)) ([]result, error) {
	var text []byte
	if o.spec != "" {
		var err error
		if text, err = os.ReadFile(o.spec); err != nil {
			return nil, err
		}
	}
	var results []result
	var jobs []job
	good := 0
	for _, one := range all {
		if !one.Harmful() {
			if good++; o.quick && good > quickly {
				continue
			}
		}
		p, err := one.Plan(o.spec, text, c.Kinds())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.Name, err)
		}
		r := result{Outage: one, First: float64(len(p.Cohort(0))) / float64(len(p.Order)), Gated: make([]rehearsal.Played, o.seeds)}
		if one.Harmful() {
			r.Ways = make([]rehearsal.Played, len(outages.Ways())-1)
		}
		for i := range r.Ways {
			jobs = append(jobs, job{one, outages.Ways()[i], p, o.seed, &r.Ways[i]})
		}
		for i := range r.Gated {
			jobs = append(jobs, job{one, outages.Gated, p, o.seed + uint64(i), &r.Gated[i]}) //nolint:gosec // positive
		}
		results = append(results, r)
	}
	return results, perform(ctx, jobs, o.workers, c, done)
}

// perform plays jobs, so many at once, until one of them fails.
func perform(ctx context.Context, jobs []job, workers int, c catalog.Catalog, done func(done, of int)) error {
	folder, err := os.MkdirTemp("", "sluice-proof-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // what is left is small, and in a temporary folder
	kept, err := store.Dir(folder)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var group sync.WaitGroup
	next, over := 0, 0
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(jobs) {
					return
				}
				j := jobs[i]
				played, err := rehearsal.Play(j.outage, j.way, j.plan, c, kept, j.seed)
				if err != nil {
					cancel(err)
					return
				}
				*j.into = played
				mu.Lock()
				over++
				done(over, len(jobs))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
