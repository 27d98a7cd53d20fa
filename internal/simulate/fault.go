package simulate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
)

// Kind is what a fault does.
type Kind string

// Kinds of faults.
const (
	Errors  Kind = "errors"  // more requests fail: 3x, or 30%
	Latency Kind = "latency" // requests take longer: 3x
	Traffic Kind = "traffic" // only so much of the traffic is left: 20%, 0%
	Check   Kind = "check"   // the number, or the bad events, of one check move: check cpu 3x
	Crash   Kind = "crash"   // the unit is down: no traffic, no metrics, not alive; the target takes orders
	Brick   Kind = "brick"   // the whole target is down and takes no order any more
	Silent  Kind = "silent"  // the target answers nobody and takes no order; its traffic goes on
	Refuse  Kind = "refuse"  // the target refuses the release
	Source  Kind = "source"  // the source of health answers nothing
)

// kinds are those that a text can name, in the order in which help lists them.
var kinds = []string{
	string(Errors), string(Latency), string(Traffic), string(Check), string(Crash),
	string(Brick), string(Silent), string(Refuse), string(Source),
}

// Fault is something that goes wrong on the targets that run the new release, from when they have
// it until they have it no more. Its other fields change the when and the where.
type Fault struct {
	Kind Kind
	// Check names the check that moves; only of the kind Check.
	Check string
	// Factor multiplies what is usual; 0 where Share says how much instead.
	Factor float64
	// Share is the share of requests that fail, or of the traffic that is left.
	Share float64
	// From is how long after a target got the release it begins; At is how long after the rollout
	// began at the earliest: the moment of a trigger.
	From, At time.Duration
	// For is how long it lasts; 0 is for ever. Ramp is how long it grows until it is as large as
	// stated.
	For, Ramp time.Duration
	// Pulse and Period make it come and go: for Pulse of every Period. Zero is always.
	Pulse, Period time.Duration
	// Above is the share of the fleet that must have the release before it begins.
	Above float64
	// On are labels of the targets that have it; empty is all.
	On map[string]string
	// OneIn picks one target of so many; 0 and 1 are all.
	OneIn int
	// Everywhere says that targets without the release have it, too: an incident that all share, or
	// what the new release does to its neighbours.
	Everywhere bool
	// Stays says that taking the release back cures nothing.
	Stays bool
}

// Innocent says that the release has no part in the fault.
func (f Fault) Innocent() bool { return f.Everywhere && f.Above == 0 || f.Kind == Source }

// picks are the targets that can have the fault. Of one in so many it is that share of those with
// its labels, to the nearest target and at least one: the first in an order that the seed makes, so
// that one in 16 are among one in 4.
func (f Fault) picks(targets []fleet.Target, seed uint64) []fleet.Target {
	fit := slices.DeleteFunc(slices.Clone(targets), func(t fleet.Target) bool { return !t.Matches(f.On) })
	if f.OneIn <= 1 || len(fit) == 0 {
		return fit
	}
	place := func(t fleet.Target) uint64 { return keyed(seed, hash(t.ID), hash("one in")) }
	slices.SortFunc(fit, func(a, b fleet.Target) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.ID, b.ID))
	})
	return fit[:max(1, int(math.Round(float64(len(fit))/float64(f.OneIn))))]
}

// faultsOf are the faults that each target can have, by its id.
func (m Model) faultsOf(targets []fleet.Target) map[string][]int {
	out := map[string][]int{}
	for i, f := range m.Faults {
		for _, t := range f.picks(targets, m.Seed) {
			out[t.ID] = append(out[t.ID], i)
		}
	}
	return out
}

// strength is how much of the fault shows so long after it began, from 0 to 1.
func (f Fault) strength(since time.Duration) float64 {
	switch {
	case since < 0, f.For > 0 && since >= f.For, f.Period > 0 && since%f.Period >= f.Pulse:
		return 0
	case f.Ramp > 0 && since < f.Ramp:
		return since.Seconds() / f.Ramp.Seconds()
	}
	return 1
}

// UnknownLabels is an error that names the labels of targets, where none of them has all of some;
// nil where one has.
func UnknownLabels(on map[string]string, targets []fleet.Target) error {
	if slices.ContainsFunc(targets, func(t fleet.Target) bool { return t.Matches(on) }) {
		return nil
	}
	values := map[string][]string{}
	for _, t := range targets {
		for name, value := range t.Labels {
			values[name] = append(values[name], value)
		}
	}
	var known []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all := slices.Compact(slices.Sorted(slices.Values(values[name])))
		if known = append(known, name+"="+strings.Join(all, "|")); len(all) > 8 {
			known[len(known)-1] = fmt.Sprintf("%s (%d values)", name, len(all))
		}
	}
	if len(known) == 0 {
		return errors.New("the targets of the fleet have no labels")
	}
	return fmt.Errorf("no target of the fleet has these labels, expected some of %s", strings.Join(known, ", "))
}

// NeverBegan are the faults that no target, or source, has shown so far, by their place in the
// model.
func (w *World) NeverBegan() (out []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, shown := range w.shown {
		if !shown {
			out = append(out, i)
		}
	}
	return out
}
