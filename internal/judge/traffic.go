package judge

import (
	"fmt"
	"math"
	"time"

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
	if square < expected*(1+surely*math.Sqrt(3/max(1, pairs))) { // neighbours overlap
		return 0
	}
	return math.Sqrt((square - expected) / max(1, pairs))
}

// surely is how many standard errors more than chance are no chance.
const surely = 2.5

// What is left of an arm's requests when they are lost.
const (
	// half of them: load balancing moves shares by less, and a cohort that is gone loses all.
	half = 0.5
	// wandering is how many standard deviations below what it was a share may go by itself, and
	// leastKept how low at most: what is gone is found, whatever comes and goes.
	wandering = 4
	leastKept = 0.1
)

// Kept is the part of its usual share that an arm keeps while nothing is wrong.
func (u Unsteady) Kept() float64 { return max(leastKept, math.Exp(-wandering*u.Wander)) }

// Left is the part of its usual share of which less is a loss.
func (u Unsteady) Left() float64 { return half * u.Kept() }

// Few is how likely it is, at most, that so few of all requests are an arm's by chance, when each
// is with such a probability.
func (u Unsteady) Few(own, all, probability float64) float64 {
	bursts := max(1, u.Bursts)
	return sequential.BinomialTail((all-own)/bursts, all/bursts, 1-probability)
}

// Certain is how much of so many requests is beyond chance: three standard deviations of Poisson
// noise below. What was measured on few says little of a share.
func (u Unsteady) Certain(requests float64) float64 {
	requests /= max(1, u.Bursts)
	if requests <= 0 {
		return 0
	}
	return max(0, 1-3/math.Sqrt(requests))
}

// almostNone is the part of what is expected at least that a target which serves nobody may still get: of
// monitors, and of a rollout's own probes. It is of half of the time, and so a twentieth of all.
const almostNone = 0.1

// Dark are those targets that had so many requests before that none, or almost none, now is no chance,
// at a level for all of them together; with how many are expected, by id. Expected are so many times those before,
// less three standard deviations. A target that is not in now was not read.
func (u Unsteady) Dark(before, now map[string]float64, times, level float64) map[string]float64 {
	rare := -math.Log(level / float64(max(1, len(before))))
	if u.few(before)*rare > 1 {
		return nil
	}
	out := map[string]float64{}
	for id, was := range before {
		expected := was * u.Certain(was) * times
		bursts := max(1, u.Bursts)
		if n, read := now[id]; read && n <= almostNone*expected && logAtMost(n/bursts, expected/bursts) <= -rare {
			out[id] = expected
		}
	}
	return out
}

// logAtMost bounds from above the logarithm of the chance of at most n events (Poisson), of which far
// more are expected: each number below n is less likely, by n/expected at least.
func logAtMost(n, expected float64) float64 {
	n = math.Floor(max(0, n))
	if n >= expected {
		return 0
	}
	factorial, _ := math.Lgamma(n + 1)
	return min(0, n*math.Log(expected)-expected-factorial-math.Log1p(-n/expected))
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
	before sequential.Pair   // totals, as Bad
	newest []sequential.Pair // those of the last few looks
	looks  int               // how many those are
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
func newTraffic(c Criteria, before []Look) traffic {
	looks := max(patience, int(window/max(1, c.Every)))
	t := traffic{looks: looks, level: c.Traffic / float64(c.start().Looks) / math.Ceil(math.Log2(float64(looks)/patience)+1)}
	var own, control []float64
	for _, p := range pairs(before) {
		p = totals(p)
		t.before = t.before.Plus(p)
		own, control = append(own, p.Exposed.Bad), append(control, p.Control.Bad)
	}
	t.Unsteady = UnsteadyOf(own, control, c.Every, c.Bake, false)
	return t
}

// totals are a look's requests as events.
func totals(p sequential.Pair) sequential.Pair {
	return sequential.Pair{Exposed: sequential.Counts{Bad: p.Exposed.Total}, Control: sequential.Counts{Bad: p.Control.Total}}
}

// see takes the next look.
func (t *traffic) see(p sequential.Pair) {
	if t.newest = append(t.newest, totals(p)); len(t.newest) > t.looks {
		t.newest = t.newest[1:]
	}
	if t.level <= 0 || t.before.Control.Bad == 0 {
		return
	}
	was, certain := part(t.before), t.Certain(t.before.Exposed.Bad)
	for n := patience; n <= len(t.newest); n *= 2 { // over all of them a late loss would show late
		var now sequential.Pair
		for _, p := range t.newest[len(t.newest)-n:] {
			now = now.Plus(p)
		}
		is, all := part(now), now.Exposed.Bad+now.Control.Bad
		if is < was*certain*t.Left() && t.Few(now.Exposed.Bad, all, was*certain*t.Kept()) <= t.level {
			t.lost = fmt.Sprintf("%s of all requests, %s before the change; less than %s is left", humanize.Percent(is), humanize.Percent(was),
				humanize.Percent(t.Left()))
		}
	}
}

// part is the exposed arm's part of the requests.
func part(p sequential.Pair) float64 {
	if all := p.Exposed.Bad + p.Control.Bad; all > 0 {
		return p.Exposed.Bad / all
	}
	return 0
}
