package backtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// injection puts faults into a check's past, and asks the judge when it finds them: what it pays
// for bursts, for what it does not know of the arms, and for how bad the fault is and when it
// begins, is all in its answer.
type injection struct {
	criteria judge.Criteria
	base     float64             // bad events per event, of a healthy arm
	burst    float64             // how many bad events come at once
	looks    [][]judge.ArmCounts // strata together
}

const (
	// tries is how many moments of the past get a fault: half of them decide.
	tries = 9
	// mostLooks is how many looks a bake has at most: of a long one, fewer tell as much.
	mostLooks = 120
	// halvings is how often the smallest ratio is looked for.
	halvings = 10
)

func newInjection(r health.Replay, base, burst float64) injection {
	in := injection{criteria: r.Criteria, base: base, burst: max(1, burst)}
	in.criteria.Enough = 0 // how long harm takes is asked
	if every := r.Criteria.Every; every > 0 {
		in.criteria.Every = max(every, (r.Criteria.Bake / mostLooks).Truncate(every))
	}
	in.looks = trimmed(joined(r.Looks, in.criteria.Every))
	return in
}

// at is the past as if a fault of so many times as many bad events had begun at one of its moments,
// in bursts as large as usual. What is missing before and after is what was seen at its other end.
func (in injection) at(begin int, ratio float64) []judge.ArmCounts {
	c := in.criteria
	long, _ := health.PastSpan(c.Bake, c.Every)
	if c.Before {
		long, _ = health.SelfPast(c.Bake, c.Every)
	}
	before, n := int(long/c.Every), len(in.looks)
	src := rand.NewPCG(uint64(begin), 1) // the same answer whenever it is asked
	r := health.Replay{Criteria: c}
	for i := 1; i <= before+int(c.Bake/c.Every); i++ {
		for _, l := range in.looks[((begin+i-before)%n+n)%n] {
			l.At = time.Duration(i) * c.Every
			if more := (ratio - 1) * in.base / in.burst; i > before && l.Exposed != nil && l.Exposed.Total > 0 && more > 0 {
				bad := in.burst * distuv.Poisson{Lambda: more * l.Exposed.Total, Src: src}.Rand()
				l.Exposed = &sequential.Counts{Bad: min(l.Exposed.Total, l.Exposed.Bad+bad), Total: l.Exposed.Total}
			}
			r.Looks = append(r.Looks, l)
		}
	}
	return around(r, time.Duration(before)*c.Every)
}

// delay is how long a fault takes to be found, in half of the tries; not ok where that is not
// within the bake, or where not even all events would be as many.
func (in injection) delay(ratio float64) (time.Duration, bool) {
	n := len(in.looks)
	if n == 0 || in.criteria.Every <= 0 || ratio*in.base > 1+1e-9 {
		return 0, false
	}
	var found []time.Duration
	for i := range tries {
		out := judge.Run(in.criteria, in.at(i*n/tries, ratio))
		if out.Verdict == judge.Fail {
			found = append(found, out.At)
		} else if i-len(found) >= tries/2 {
			return 0, false
		}
	}
	slices.Sort(found)
	return found[tries/2], true
}

// seconds is delay; 0 where it is not found within the bake.
func (in injection) seconds(ratio float64) float64 {
	long, _ := in.delay(ratio)
	return long.Seconds()
}

// smallest is the smallest ratio that is found within the bake; 0 where none is.
func (in injection) smallest() float64 {
	high := math.Log(1 / max(in.base, 1e-6))
	if _, ok := in.delay(math.Exp(high)); !ok {
		return 0
	}
	low := 0.0
	for range halvings {
		middle := (low + high) / 2
		if _, ok := in.delay(math.Exp(middle)); ok {
			high = middle
		} else {
			low = middle
		}
	}
	return math.Exp(high)
}
