package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// sample is runs of a world.
type sample struct {
	world world
	runs  int
	seed  uint64
}

// each calls f for every run, on all cores: f is called at once from several goroutines. The runs
// are the same on any number of cores. It ends early with ctx.
func (b sample) each(ctx context.Context, f func(run int, s series)) {
	b.random(ctx, func(run int, r *rand.Rand) { f(run, b.world.draw(r)) })
}

// random is each with the randomness of every run.
func (b sample) random(ctx context.Context, f func(run int, r *rand.Rand)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= b.runs {
					return
				}
				f(i, source(b.seed, b.world.name, i))
			}
		})
	}
	group.Wait()
}

// result is how one contender did in one world.
type result struct {
	runs int
	// early are rollbacks before the harm began, of which there was none in found.
	early, found int
	// seconds and bad are the mean delay since the harm began and the mean number of bad requests
	// of the exposed arm since then, over runs that were not rolled back early; a run that is not
	// rolled back at all counts as the whole bake.
	seconds, bad float64
}

// measure lets contenders decide the same runs.
func (b sample) measure(ctx context.Context, judges []contender) []result {
	type run struct {
		at, end int
		bad     float64
	}
	all := make([][]run, b.runs)
	onset := b.world.onset
	b.each(ctx, func(i int, s series) {
		for _, j := range judges {
			r := run{at: j.decide(s), end: looks}
			if r.at > 0 {
				r.end = r.at
			}
			for k := onset; k < r.end; k++ {
				if c := s.since[k].Exposed; c != nil {
					r.bad += c.Bad
				}
			}
			all[i] = append(all[i], r)
		}
	})
	out := make([]result, len(judges))
	for _, runs := range all {
		for k, r := range runs {
			o := &out[k]
			o.runs++
			if r.at > 0 && r.at <= onset {
				o.early++
				continue
			}
			if r.at > 0 {
				o.found++
			}
			o.seconds += float64(r.end-onset) * every.Seconds()
			o.bad += r.bad
		}
	}
	for k := range out {
		if n := float64(out[k].runs - out[k].early); n > 0 {
			out[k].seconds /= n
			out[k].bad /= n
		}
	}
	return out
}
