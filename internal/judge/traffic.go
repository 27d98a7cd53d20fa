package judge

import (
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// Unsteady is how an arm's requests go up and down while nothing is changed. The zero value is
// chance alone.
type Unsteady struct {
	// Bursts is how many requests count as one, since they come together; less counts as 1.
	Bursts float64
	// Wander is how much of a share may come and go over as long a time as a bake: the standard
	// deviation of its logarithm, beyond chance.
	Wander float64
}

// UnsteadyOf is what looks of a length before a change tell of a bake. Without a control it is of
// the number of requests, and else of the arm's share.
func UnsteadyOf(own, control []float64, step, bake time.Duration, alone bool) Unsteady {
	var jitter sequential.Jitter
	looks := make([]sequential.Pair, 0, len(own))
	for i, n := range own {
		p := sequential.Pair{Exposed: sequential.Counts{Bad: n, Total: 1}}
		if i < len(control) {
			p.Control = sequential.Counts{Bad: control[i], Total: 1}
			jitter.See(p)
		}
		looks = append(looks, p)
	}
	var steps []sequential.Pair
	for i := 0; i+1 < len(own); i += 2 {
		steps = append(steps, sequential.Pair{Exposed: looks[i].Exposed, Control: looks[i+1].Exposed})
	}
	u := Unsteady{Bursts: 1}
	dispersions := []sequential.Dispersion{sequential.Split(steps), jitter.Dispersion()}
	if alone {
		dispersions = dispersions[:1]
	}
	for _, d := range dispersions {
		switch {
		case alone && len(steps) == 0:
		case !d.Known():
			u.Bursts = max(u.Bursts, sequential.UsualBurst)
		case d.Excess():
			u.Bursts = max(u.Bursts, d.High())
		}
	}
	for n := 1; 4*n < len(looks); n *= 2 { // three differences at least
		apart := wandered(looks, n, u.Bursts, alone)
		if 8*n >= len(looks) { // what goes up and down for longer than was seen is larger
			apart *= math.Sqrt(max(1, float64(bake)/float64(time.Duration(n)*step)))
		}
		u.Wander = max(u.Wander, apart)
	}
	return u
}

// wandered is by how much the logarithm of a share differs between neighbouring sums of n looks,
// beyond chance.
func wandered(looks []sequential.Pair, n int, bursts float64, alone bool) float64 {
	square, expected, last, doubt, pairs := 0.0, 0.0, 0.0, 0.0, -1.0
	for ; len(looks) >= n; looks = looks[n:] {
		var sum sequential.Pair
		for _, p := range looks[:n] {
			sum = sum.Plus(p)
		}
		own, other := max(1, sum.Exposed.Bad/bursts), max(1, sum.Control.Bad/bursts)
		now, chance := math.Log(own), 1/own
		if !alone {
			now, chance = now-math.Log(other), chance+1/other
		}
		if pairs++; pairs > 0 {
			square, expected = square+(now-last)*(now-last), expected+chance+doubt
		}
		last, doubt = now, chance
	}
	if square < expected*(1+plain*math.Sqrt(3/max(1, pairs))) { // neighbours overlap
		return 0
	}
	return math.Sqrt((square - expected) / max(1, pairs))
}

// plain is how many standard errors more than chance are no chance.
const plain = 2.5

// What is left of an arm's requests when they are lost.
const (
	// half of them: load balancing moves shares by less, and a cohort that is gone loses all.
	half = 0.5
	// wandering is how many standard deviations below what it was a share may go by itself, and
	// leastKept how low at most: what is gone is found, whatever comes and goes.
	wandering = 4
	leastKept = 0.1
)

// kept is the part of its usual share that an arm keeps while nothing is wrong.
func (u Unsteady) kept() float64 { return max(leastKept, math.Exp(-wandering*u.Wander)) }

// Left is the part of its usual share of which less is a loss.
func (u Unsteady) Left() float64 { return half * u.kept() }

// fewByChance is how likely it is, at most, that so few of all requests are an arm's by chance,
// when each is with such a probability.
func (u Unsteady) fewByChance(own, all, probability float64) float64 {
	bursts := max(1, u.Bursts)
	return sequential.BinomialTail((all-own)/bursts, all/bursts, 1-probability)
}

// surely is how much of so many requests is beyond chance: three standard deviations of Poisson
// noise below. What was measured on few says little of a share.
func (u Unsteady) surely(requests float64) float64 {
	requests /= max(1, u.Bursts)
	if requests <= 0 {
		return 0
	}
	return max(0, 1-3/math.Sqrt(requests))
}

// Loss is how many requests an arm gets beside how many it got before, in some unit.
type Loss struct {
	// Now and Before are both; of less than Limit, it has lost them.
	Now, Before, Limit float64
	// Expected is how many requests are expected, and Chance how likely it is, at most, that chance
	// leaves so few.
	Expected, Chance float64
}

// Below says that it gets less than it may.
func (l Loss) Below() bool { return l.Now < l.Limit }

// Certain says so, and that chance explains it in no more than such a part of cases.
func (l Loss) Certain(level float64) bool { return l.Below() && l.Chance <= level }

// OfShare compares an arm's share of all requests; before and now are its own requests and the
// others'.
func (u Unsteady) OfShare(before, now [2]float64) Loss {
	share := func(n [2]float64) float64 {
		if all := n[0] + n[1]; all > 0 {
			return n[0] / all
		}
		return 0
	}
	l, all, surely := Loss{Now: share(now), Before: share(before)}, now[0]+now[1], u.surely(before[0])
	l.Limit, l.Expected = l.Before*surely*u.Left(), l.Before*all
	l.Chance = u.fewByChance(now[0], all, l.Before*surely*u.kept())
	return l
}

// OfRate compares how many requests an arm gets in a time with how many it got in another one, of
// which such a part is expected. Its unit is requests a second.
func (u Unsteady) OfRate(before, now float64, then, since time.Duration, part float64) Loss {
	l := Loss{Now: now / since.Seconds(), Before: before / then.Seconds() * part}
	kept := part * u.kept() * since.Seconds()
	l.Limit, l.Expected = l.Before*u.surely(before)*u.Left(), l.Before*since.Seconds()
	l.Chance = u.fewByChance(now, now+before, kept/(kept+then.Seconds()))
	return l
}

// almostNone is the part of what is expected at least that a target which serves nobody may still
// get: of monitors, and of a rollout's own probes. It is of half of the time, and so a twentieth of
// all.
const almostNone = 0.1

// Dark are those targets that had so many requests before that none, or almost none, now is no
// chance, at a level for all of them together; with how many are expected, by id. Expected are so
// many times those before, less three standard deviations. A target that is not in now was not
// read.
func (u Unsteady) Dark(before, now map[string]float64, times, level float64) map[string]float64 {
	rare := level / float64(max(1, len(before)))
	if u.few(before)*-math.Log(rare) > 1 {
		return nil
	}
	out := map[string]float64{}
	for id, was := range before {
		expected := was * u.surely(was) * times
		bursts := max(1, u.Bursts)
		n, read := now[id]
		chance := mathext.GammaIncRegComp(math.Floor(max(0, n)/bursts)+1, expected/bursts) // of n at most, by Poisson
		if read && n <= almostNone*expected && chance <= rare {
			out[id] = expected
		}
	}
	return out
}

// few is one by how many clients a target has, where they are so few that all may leave it: then
// its requests go up and down by themselves, and differ from other targets'. 0 is many.
func (u Unsteady) few(before map[string]float64) float64 {
	const (
		telling = 5 // targets tell how much they differ
		unseen  = 4 // times as much as they show: six show less than a quarter of it in one case of sixteen
	)
	n := float64(len(before))
	over := n * u.Wander * u.Wander
	if n < telling {
		return over
	}
	mean, square := 0.0, 0.0
	for _, v := range before {
		mean, square = mean+v/n, square+v*v/n
	}
	return min(over, unseen*(square/max(1, mean*mean)-1))
}

// traffic judges, as a rollout's check of traffic does, whether the exposed arm keeps its share of
// the requests. Its zero value cannot judge.
type traffic struct {
	Unsteady
	before [2]float64   // of both arms
	newest [][2]float64 // those of the last few looks
	looks  int          // how many those are
	level  float64
	lost   string
}

// Of looks in which requests are counted.
const (
	// window is how long at most, as a rollout's.
	window = 5 * time.Minute
	// patience is how many at least must show a loss: a counter that begins anew spoils one.
	patience = 4
)

// newTraffic readies the test with the looks before the change.
func newTraffic(c Criteria, before []ArmCounts) traffic {
	looks := max(patience, int(window/max(1, c.Every)))
	t := traffic{looks: looks, level: c.Traffic / float64(c.start().Looks) / math.Ceil(math.Log2(float64(looks)/patience)+1)}
	var own, control []float64
	for _, p := range pairs(before) {
		t.before = plus(t.before, p)
		own, control = append(own, p.Exposed.Total), append(control, p.Control.Total)
	}
	t.Unsteady = UnsteadyOf(own, control, c.Every, c.Bake, false)
	return t
}

func plus(sum [2]float64, p sequential.Pair) [2]float64 {
	return [2]float64{sum[0] + p.Exposed.Total, sum[1] + p.Control.Total}
}

// see takes the next look.
func (t *traffic) see(p sequential.Pair) {
	if t.newest = append(t.newest, plus([2]float64{}, p)); len(t.newest) > t.looks {
		t.newest = t.newest[1:]
	}
	if t.level <= 0 || t.before[1] == 0 {
		return
	}
	for n := patience; n <= len(t.newest); n *= 2 { // over all of them a late loss would show late
		var now [2]float64
		for _, p := range t.newest[len(t.newest)-n:] {
			now[0], now[1] = now[0]+p[0], now[1]+p[1]
		}
		if l := t.OfShare(t.before, now); l.Certain(t.level) {
			t.lost = fmt.Sprintf("%s of all requests, %s before the change; %s", humanize.Percent(l.Now), humanize.Percent(l.Before), t.Words())
		}
	}
}

// Words say how little is a loss.
func (u Unsteady) Words() string {
	s := "less than " + humanize.Percent(u.Left()) + " is left"
	if u.kept() < 0.9 {
		s += " (not half: it went up and down before)"
	}
	return s
}
