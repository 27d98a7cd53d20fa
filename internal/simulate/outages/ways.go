package outages

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
)

// Way is a way to deploy a change.
type Way string

// Ways. All but Gated are played here; Gated is a rollout of Sluice, which package rehearsal runs.
const (
	// Push puts the change on the whole fleet as fast as it spreads. Nobody looks: harm lasts until
	// all of it was over.
	Push Way = "push"
	// Watched is a push with a person at the dashboards, who puts it back when the outage was
	// mitigated.
	Watched Way = "push, a person watching"
	// Delayed is that 24 hours later.
	Delayed Way = "push after 24 h, a person watching"
	// Timed goes through the stages of the spec by their bakes, whatever happens, with a person
	// watching.
	Timed Way = "stages on a timer, a person watching"
	// Gated is a rollout of Sluice.
	Gated Way = "Sluice"
)

// Ways are all of them, in the order of tables.
func Ways() []Way { return []Way{Push, Watched, Delayed, Timed, Gated} }

// delay is how long Delayed waits.
const delay = 24 * time.Hour

// step is a target that gets the change.
type step struct {
	at     time.Duration
	target fleet.Target
}

// steps are when who gets the change, in that order.
func (o Outage) steps(w Way, p plan.Plan) []step {
	var out []step
	spread := func(from time.Duration, targets []fleet.Target) {
		for i, t := range targets {
			out = append(out, step{from + o.Spread.Std()*time.Duration(i+1)/time.Duration(len(p.Order)), t})
		}
	}
	switch w {
	case Delayed:
		spread(delay, p.Order)
	case Timed:
		at := time.Duration(0)
		for i := range p.Stages {
			spread(at, p.Cohort(i))
			at += p.Spec.Stages[i].Bake.Std()
		}
	default:
		spread(0, p.Order)
	}
	return out
}

// idle is how long a deployment without harm is looked at after its last step.
const idle = time.Hour

// began is when every deployment begins, as the clock of a rehearsal says it.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Play deploys the change in a way that has no gate, on the plan's fleet, and answers what it did.
func (o Outage) Play(w Way, p plan.Plan, k spec.Kinds, seed uint64) simulate.Ledger {
	now, s := began, p.Spec
	s.Health = spec.Health{Every: s.Health.Every} // nobody asks for numbers
	world := simulate.NewWorld(o.Model(seed), s, k, fleet.Fleet{Targets: p.Order}, before, func() time.Time { return now })
	steps := o.steps(w, p)
	end := o.end(began.Add(steps[len(steps)-1].at))
	for ; ; now = now.Add(simulate.Slot) {
		for len(steps) > 0 && !now.Before(began.Add(steps[0].at)) {
			world.Put(steps[0].target, p.Spec.Release, false)
			steps = steps[1:]
		}
		l := world.Ledger()
		harmed := !l.First.IsZero()
		switch {
		case harmed && w == Push && (len(steps) == 0 || !now.Before(l.First.Add(o.Over.Std()))):
			return world.Foresee(l.First.Add(o.Over.Std()))
		case harmed && w != Push && !now.Before(l.First.Add(o.Mitigated.Std())):
			putBack(world, p)
			return world.Foresee(l.First.Add(o.Over.Std()))
		case !harmed && now.After(end):
			return l
		}
	}
}

// before is the release that every target runs.
const before = "before"

// putBack has people put every target back.
func putBack(world *simulate.World, p plan.Plan) {
	for _, t := range slices.Backward(p.Order) {
		world.Put(t, before, true)
	}
}

// end is until when a fleet is looked at after the last order: until the last fault has begun, and
// an hour.
func (o Outage) end(last time.Time) time.Time {
	end := last
	for _, f := range o.Faults {
		for _, begins := range []time.Time{last.Add(f.From), began.Add(f.At)} {
			if begins.After(end) {
				end = begins
			}
		}
	}
	return end.Add(idle)
}

// Aftermath is what becomes of a fleet after a rollout. Harm that it did not end people mend, at
// the outage's own times; mended says that there was some.
func (o Outage) Aftermath(world *simulate.World, p plan.Plan, now time.Time) (l simulate.Ledger, mended bool) {
	end := o.end(now)
	now = now.Add(2 * simulate.Slot) // harm is seen to be over in the next slot
	l = world.Foresee(now)
	for ; !l.Still && now.Before(end); l = world.Foresee(now) {
		now = now.Add(time.Minute)
	}
	if !l.Still {
		return l, false
	}
	world.Foresee(l.First.Add(o.Mitigated.Std()))
	putBack(world, p)
	return world.Foresee(l.First.Add(o.Over.Std())), true
}

// Score sums up a ledger of Play: when harm was noticed, and over, are people's times, where there
// was harm.
func (o Outage) Score(w Way, l simulate.Ledger) simulate.Score {
	s := l.Score()
	if !s.Harmed {
		return s
	}
	over, detected := o.Over.Std(), o.Detected.Std()
	if s.Detected = &detected; w == Push || detected == 0 { // it is not known
		s.Detected = nil
	}
	if s.Undone == nil {
		s.Undone = &over
	}
	return s
}
