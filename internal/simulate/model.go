// Package simulate is a fleet that exists only as numbers: targets that take releases, the traffic
// that they serve, and what goes wrong there. A rollout that is rehearsed on it meets the same
// contracts of drivers and of sources of health as a real one. It knows nothing of how time passes:
// whoever uses it brings the clock.
package simulate

import (
	"cmp"
	"hash/fnv"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
)

// Model says how a fleet behaves. Its zero value is one of healthy targets with the usual traffic.
type Model struct {
	// Seed makes the same chances again.
	Seed uint64
	// Loads say what targets serve: the first whose labels a target has counts, the usual load
	// where none does.
	Loads  []Load
	Faults []Fault
	// Order is about how long a target takes to carry out an order. Default 2s.
	Order time.Duration
}

// Load is what a target serves while all is well. Zero fields have their defaults.
type Load struct {
	// On are the labels of the targets that have it; empty is all.
	On map[string]string
	// Rate is in requests a second of each target. Default 20.
	Rate float64
	// Errors is the share of requests that fail. Default 0.1%.
	Errors float64
	// Day is by how much traffic goes up by day and down by night, as a share of the mean. Default
	// 0.
	Day float64
	// Burst is how many bad requests come together on average. Default 1: each alone.
	Burst float64
	// Wander is how far the share of errors of the whole fleet drifts within hours, as the standard
	// deviation of its logarithm. Default 0.
	Wander float64
}

const (
	usualRate   = 20
	usualErrors = 0.001
	usualOrder  = 2 * time.Second
)

// loadOf is what a target serves.
func (m Model) loadOf(t fleet.Target) Load {
	for _, l := range m.Loads {
		if t.Matches(l.On) {
			return l.complete()
		}
	}
	return Load{}.complete()
}

// Usual is the first load, with its defaults.
func (m Model) Usual() Load {
	if len(m.Loads) == 0 {
		return Load{}.complete()
	}
	return m.Loads[0].complete()
}

func (l Load) complete() Load {
	l.Rate, l.Errors, l.Burst = cmp.Or(l.Rate, usualRate), cmp.Or(l.Errors, usualErrors), max(1, l.Burst)
	return l
}

// day is what a load's traffic is multiplied by at a time: least at 4 o'clock, most at 16.
func (l Load) day(at time.Time) float64 {
	const secondsOfDay = 24 * 60 * 60
	phase := float64(at.Unix()%secondsOfDay)/secondsOfDay - 10.0/24
	return max(0, 1+l.Day*math.Sin(2*math.Pi*phase))
}

// wander is what a load's share of errors is multiplied by at a time.
func (l Load) wander(seed uint64, at time.Time) float64 {
	if l.Wander == 0 {
		return 1
	}
	const knot = 20 * 60
	n, part := at.Unix()/knot, float64(at.Unix()%knot)/knot
	a, b := normal(seed, hash("wander"), uint64(n)), normal(seed, hash("wander"), uint64(n+1)) //nolint:gosec // a key
	// Between two knots the variance would sag to a half.
	between := (a*(1-part) + b*part) / math.Hypot(1-part, part)
	return math.Exp(l.Wander*between - l.Wander*l.Wander/2)
}

// random is splitmix64. It is seeded by what a number is about, so that no number depends on the
// order in which they are drawn.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) float() float64 { return (float64(r.next()>>11) + 0.5) / (1 << 53) }

func (r *random) normal() float64 {
	return math.Sqrt(-2*math.Log(r.float())) * math.Cos(2*math.Pi*r.float())
}

// poisson draws by multiplication where the mean is small, and else from the normal distribution
// that it comes close to.
func (r *random) poisson(mean float64) float64 {
	if mean <= 0 {
		return 0
	}
	if mean > 30 {
		return max(0, math.Round(mean+math.Sqrt(mean)*r.normal()))
	}
	n, limit := 0.0, math.Exp(-mean)
	for product := r.float(); product > limit; product *= r.float() {
		n++
	}
	return n
}

// clumped draws events of a mean that come in clumps of a mean size: a Poisson number of geometric
// clumps.
func (r *random) clumped(mean, size float64) float64 {
	clumps := r.poisson(mean / size)
	if size <= 1 {
		return clumps
	}
	n := 0.0
	for range int(clumps) {
		n += math.Ceil(math.Log(r.float()) / math.Log1p(-1/size))
	}
	return n
}

// on is a random that is about all of the keys.
func on(keys ...uint64) random {
	var r random
	for _, k := range keys {
		r = random(r.next() ^ k)
	}
	return r
}

func keyed(keys ...uint64) uint64 {
	r := on(keys...)
	return r.next()
}

func normal(keys ...uint64) float64 {
	r := on(keys...)
	return r.normal()
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}
