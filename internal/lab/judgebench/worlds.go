package main

import (
	"cmp"
	"math/rand/v2"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// What all worlds share, unless one says otherwise.
const (
	every      = 15 * time.Second
	looks      = 120 // before the change, and since
	bake       = looks * every
	exposedRPS = 10.0
	controlRPS = 190.0
	baseErrors = 0.005
	lateOnset  = looks / 2
)

// series is one bake: looks from before the change, and those since.
type series struct {
	before, since []judge.ArmCounts
	// factor is how many times worse the change makes the exposed arm from look onset on; in a
	// world without harm, what the oracle looks for.
	factor float64
	onset  int
}

// all is what a judge reads.
func (s series) all() []judge.ArmCounts {
	return append(append(make([]judge.ArmCounts, 0, len(s.before)+len(s.since)), s.before...), s.since...)
}

// world draws bakes of one kind.
type world struct {
	name string
	// own is for tests by likelihood alone: others take no account of what is special in it.
	own bool
	// factor and onset are the harm, if there is any; a factor of 0 is none.
	factor float64
	onset  int
	// known is how many looks there are from before the change; 0 is as many as since, and nothing
	// none.
	known int
	// bend changes what is drawn, once for each bake.
	bend func(r *rand.Rand, d *day)
}

// nothing is known from before the change; sixHours are the looks of as long a past as a rollout
// reads.
const (
	nothing  = -1
	sixHours = 6 * 60 * 4
)

// before is how many looks there are from before the change.
func (w world) before() int { return max(0, cmp.Or(w.known, looks)) }

// day is how one bake goes: for each look, what the arms' rates are multiplied by.
type day struct {
	errors  func(look int) (exposed, control float64)
	traffic func(look int) (exposed, control float64)
	// bursts is the dispersion of errors within looks, each arm's its own; 1 is none.
	bursts float64
	// spoil changes what is read of a look.
	spoil func(r *rand.Rand, l *judge.ArmCounts)
}

func even(int) (exposed, control float64) { return 1, 1 }

// draw is one bake. Looks are counted from 1-before, the change being after look 0.
func (w world) draw(r *rand.Rand) series {
	d := day{errors: even, traffic: even, bursts: 1}
	if w.bend != nil {
		w.bend(r, &d)
	}
	s := series{factor: w.factor, onset: w.onset}
	if s.factor == 0 {
		s.factor = 2
	}
	for i := 1 - w.before(); i <= looks; i++ {
		exposedErrors, controlErrors := d.errors(i)
		if w.factor > 0 && i > w.onset {
			exposedErrors *= w.factor
		}
		exposedTraffic, controlTraffic := d.traffic(i)
		l := judge.ArmCounts{
			At:      time.Duration(i) * every,
			Exposed: arm(r, exposedRPS*exposedTraffic, baseErrors*exposedErrors, d.bursts),
			Control: arm(r, controlRPS*controlTraffic, baseErrors*controlErrors, d.bursts),
		}
		if d.spoil != nil {
			d.spoil(r, &l)
		}
		if i <= 0 {
			s.before = append(s.before, l)
		} else {
			s.since = append(s.since, l)
		}
	}
	return s
}

// arm is what one arm counts in a look. With bursts, its errors are negative binomial: their
// variance is so many times their mean.
func arm(r *rand.Rand, rps, errors, bursts float64) *sequential.Counts {
	mean := rps * every.Seconds()
	bad := mean * errors
	if bursts > 1 && bad > 0 {
		bad = gamma(r, bad/(bursts-1)) * (bursts - 1)
	}
	c := sequential.Counts{Bad: poisson(r, bad)}
	c.Total = c.Bad + poisson(r, mean*(1-errors))
	return &c
}

// clean is the world that judges are calibrated in.
func clean() world { return world{name: "clean"} }

// compared is how many of the healthy worlds all judges go through.
const compared = 15

// healthy are worlds in which the change does nothing: every rollback is false.
func healthy() []world {
	out := []world{
		clean(),
		{name: "shared drift ±50%", bend: drift},
		{name: "shared 5× spike, 3 min", bend: spike},
		{name: "overdispersed, φ 2", bend: overdispersed(2)},
		{name: "overdispersed, φ 5", bend: overdispersed(5)},
		{name: "bursts of 1 min, one arm at 5×", bend: longBursts(4)},
		{name: "bursts of 3 min, one arm at 5×", bend: longBursts(12)},
		{name: "exposed share 1% to 50%", bend: ramp},
		{name: "counter resets", bend: resets},
		{name: "looks missing", bend: gaps},
		{name: "no traffic for 5 min", bend: silence},
		{name: "exposed always 0.5×", bend: always(0.5)},
		{name: "exposed always 1.25×", bend: always(1.25)},
		{name: "exposed always 1.5×", bend: always(1.5)},
		{name: "exposed always 2×", bend: always(2)},
		{name: "2 min known from before", known: 8},
		{name: "nothing known from before", known: nothing},
		{name: "the same, overdispersed φ 5", known: nothing, bend: overdispersed(5)},
		{name: "ten errors in one look, as at a restart", bend: restart},
		{name: "idle control", bend: idleControl},
		{name: "exposed traffic ×2, ÷2 every 5 min", bend: autoscaling},
		{name: "sticky clients: exposed traffic wanders, τ 30 min", bend: sticky(30 * time.Minute)},
		{name: "sticky clients: exposed traffic wanders, τ 5 min", bend: sticky(5 * time.Minute)},
		{name: "5× spikes of 3 min each hour that the exposed arm feels twice, 6 h known", known: sixHours, bend: unequalAgain},
		{name: "each arm wanders, τ 5 min, 6 h known", known: sixHours, bend: wander(5*time.Minute, 0.6)},
		{name: "each arm wanders, τ 30 min, 6 h known", known: sixHours, bend: wander(30*time.Minute, 0.6)},
		{name: "hourly job of 2 min at 5×, 6 h known", known: sixHours, bend: hourly},
		{name: "bursts of 3 min, one arm at 5×, 6 h known", known: sixHours, bend: longBursts(12)},
		{name: "exposed 10× for 20 min, 2 h before, 6 h known", known: sixHours, bend: stained},
	}
	for i := compared; i < len(out); i++ {
		out[i].own = true
	}
	return out
}

// unknowable are worlds in which the change does nothing either, and what looks like harm was not
// to be seen before it.
func unknowable() []world {
	return []world{
		{name: "bursts of 1 min, nothing known from before", known: nothing, bend: longBursts(4)},
		{name: "bursts of 1 min that begin with the change, but not by it", bend: newBursts(4)},
		{name: "each arm's errors drift by ±50% by themselves, anew every 2 min", bend: ownDrift(8, 0.5)},
		{name: "shared 5× spike of 3 min that the exposed arm feels twice", bend: unequal},
		{name: "each arm at 10× for 20 min, every 6 h on average, 6 h known", known: sixHours, bend: rareIncidents()},
	}
}

// harmful are worlds with harm from the first look on, by how much.
func harmful() []world { return worse(world{}, 1.25, 1.5, 2, 3, 5, 10) }

// longKnown is harm where as long a past is known as a rollout reads.
func longKnown() []world {
	return worse(world{name: ", 6 h known", known: sixHours}, 2, 3, 5, 10)
}

// burstyHarm are worlds in which harm comes on top of bursts.
func burstyHarm() []world { return worse(world{name: ", φ 2", bend: overdispersed(2)}, 2, 3) }

// longBurstyHarm are worlds in which harm comes on top of bursts that last.
func longBurstyHarm() []world {
	return worse(world{name: ", bursts of 1 min", bend: longBursts(4)}, 2, 3)
}

// late are worlds in which harm begins halfway.
func late() []world { return worse(world{name: " from 15 min on", onset: lateOnset}, 2, 3, 5) }

// worse are worlds like one, with harm by several factors, each named before it.
func worse(like world, factors ...float64) []world {
	out := make([]world, len(factors))
	for i, f := range factors {
		out[i] = like
		out[i].name, out[i].factor = times(f)+like.name, f
	}
	return out
}
