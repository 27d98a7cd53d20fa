package main

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
)

// reach is what a release reached, as the targets themselves count it.
type reach struct {
	targets  int
	requests float64
	bad      float64
	// exposed is the time from the first target that took the release to the last that gave it
	// back.
	exposed time.Duration
	// fleetRequests is what the whole fleet serves in that time.
	fleetRequests float64
}

// reached reads the fleet twice, to know its traffic.
func (d *demo) reached(ctx context.Context, release string) (reach, error) {
	var r reach
	first, err := d.State(ctx)
	if err != nil {
		return r, err
	}
	if err := pause.For(ctx, 2*time.Second); err != nil {
		return r, err
	}
	second, err := d.State(ctx)
	if err != nil {
		return r, err
	}
	var before, after float64
	for i, t := range second.Targets {
		if s, ok := t.Served[release]; ok {
			r.targets++
			r.requests += float64(s.Requests)
			r.bad += float64(s.Bad)
		}
		for _, s := range first.Targets[i].Served {
			before += float64(s.Requests)
		}
		for _, s := range t.Served {
			after += float64(s.Requests)
		}
	}
	orders, err := d.Orders(ctx)
	if err != nil {
		return r, err
	}
	on := map[string]time.Time{}
	var from, to time.Time
	for _, o := range orders {
		if !o.Accepted {
			continue
		}
		if o.Release == release {
			on[o.Target] = o.Time
			if from.IsZero() {
				from = o.Time
			}
		} else if _, was := on[o.Target]; was {
			delete(on, o.Target)
			to = o.Time
		}
	}
	r.exposed = to.Sub(from)
	r.fleetRequests = (after - before) / second.Now.Sub(first.Now).Seconds() * r.exposed.Seconds()
	return r, nil
}
