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
	// Push puts the change on the whole fleet as fast as it spreads. Nobody looks: harm lasts until all of it was over.
	Push Way = "push"
	// Watched is a push with a person at the dashboards, who puts it back when the outage was mitigated.
	Watched Way = "push, a person watching"
	// Delayed is that 24 hours later.
	Delayed Way = "push after 24 h, a person watching"
	// Timed goes through the stages of the spec by their bakes, whatever happens, with a person watching.
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

// Play deploys the change in a way that has no gate, on the plan's fleet, and answers what it did.
func (o Outage) Play(w Way, p plan.Plan, k spec.Kinds, seed uint64) simulate.Ledger {
	began := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	now := began
	world := simulate.NewWorld(o.Model(seed), p.Spec, k, fleet.Fleet{Targets: p.Order}, "before", func() time.Time { return now })
	steps := o.steps(w, p)
	last := steps[len(steps)-1].at
	stopped := false
	for {
		for len(steps) > 0 && !stopped && !now.Before(began.Add(steps[0].at)) {
			world.Put(steps[0].target, p.Spec.Release, false)
			steps = steps[1:]
		}
		l := world.Ledger()
		harmed := !l.First.IsZero()
		switch {
		case harmed && !now.Before(l.First.Add(o.Over.Std())):
			return l
		case harmed && w != Push && !stopped && !now.Before(l.First.Add(o.Mitigated.Std())):
			stopped = true
			for _, t := range slices.Backward(p.Order) {
				world.Put(t, "before", true)
			}
		case !harmed && now.After(began.Add(last+o.latest()+idle)):
			return l
		}
		now = now.Add(simulate.Slot)
	}
}

// latest is when the last fault begins, at most, after the last step.
func (o Outage) latest() (d time.Duration) {
	for _, f := range o.Faults {
		d = max(d, f.From, f.At)
	}
	return d
}

// Score sums up a ledger of Play: when harm was noticed, and over, are people's times, where there was harm.
func (o Outage) Score(w Way, l simulate.Ledger) simulate.Score {
	s := l.Score()
	if !s.Harmed {
		return s
	}
	over, detected := o.Over.Std(), o.Detected.Std()
	if s.Detected = &detected; w == Push {
		s.Detected = nil
	}
	if s.Undone == nil {
		s.Undone = &over
	}
	return s
}
