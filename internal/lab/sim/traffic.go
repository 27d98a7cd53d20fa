package sim

import (
	"hash/fnv"
	"math"
	"time"
)

// slot is the grain of time in which traffic happens. What a target serves in one slot depends on
// the seed, the target, the slot's number and the release alone.
const slot = 200 * time.Millisecond

// buckets are the upper bounds of the latency histogram, in seconds; +Inf follows.
var buckets = [...]float64{0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6}

// Latencies are log-normal with this median and spread: about 80 ms on average, with a 99th
// percentile of about 220 ms.
const (
	medianLatency = 0.070
	sigmaLatency  = 0.5
)

// counters are what a process counts. They begin at zero with every process.
type counters struct {
	ok, bad uint64
	buckets [len(buckets) + 1]uint64 // not cumulative
	sum     float64                  // seconds
}

// shape is the cumulative share of requests in each latency bucket.
type shape [len(buckets)]float64

func shapeOf(factor float64) shape {
	var s shape
	for i, bound := range buckets {
		s[i] = 0.5 * math.Erfc(-math.Log(bound/(medianLatency*factor))/(sigmaLatency*math.Sqrt2))
	}
	return s
}

// serve adds one slot's requests.
func (c *counters) serve(rng *random, mean, errors float64, s *shape) {
	n := rng.poisson(mean)
	if n == 0 {
		return
	}
	bad := min(n, rng.poisson(float64(n)*errors))
	c.bad += bad
	c.ok += n - bad
	for range n {
		u, i := rng.float(), 0
		for i < len(s) && u > s[i] {
			i++
		}
		c.buckets[i]++
		c.sum += typical(i)
	}
}

// typical is the latency that stands for a bucket.
func typical(i int) float64 {
	switch i {
	case 0:
		return buckets[0] / 2
	case len(buckets):
		return buckets[len(buckets)-1] * 1.5
	default:
		return (buckets[i-1] + buckets[i]) / 2
	}
}

// random is splitmix64: small enough to be seeded anew for every slot, so that any moment can be
// computed without the ones before it.
type random uint64

func randomFor(seed, target, slot uint64) random {
	r := random(seed)
	r = random(r.next() ^ target)
	return random(r.next() ^ slot)
}

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) float() float64 { return float64(r.next()>>11) / (1 << 53) }

// poisson draws by multiplication where the mean is small, and else from the normal distribution
// that it comes close to.
func (r *random) poisson(mean float64) uint64 {
	if mean <= 0 {
		return 0
	}
	if mean > 30 {
		normal := math.Sqrt(-2*math.Log(1-r.float())) * math.Cos(2*math.Pi*r.float())
		return uint64(max(0, math.Round(mean+math.Sqrt(mean)*normal)))
	}
	limit, n := math.Exp(-mean), uint64(0)
	for product := r.float(); product > limit; product *= r.float() {
		n++
	}
	return n
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return h.Sum64()
}
