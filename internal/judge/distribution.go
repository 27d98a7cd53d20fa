package judge

import (
	"fmt"
	"math"
	"slices"

	"github.com/sluicehq/sluice/internal/sequential"
)

// Distribution judges whether values of the exposed arm, such as durations of requests,
// are larger than the other arm's, at any bound of their histograms. Build it with
// NewDistribution. It is not safe for concurrent use. Criteria.Worse, Objective, Burn
// and Traffic mean nothing here, and it never shows enough to end a bake early: at
// bounds beyond nearly all values there is nothing to show.
//
// Looks add up to one distribution of each arm, and sequential.WorstBound compares bands
// around them. Where values come in bursts, fewer values count, by how much more than
// chance the looks before the change differed; where these are too few to tell, by how
// much neighbouring looks since do, and 4 times until that is known. By how much the
// exposed arm was slower before the change, beyond doubt, it may be since.
type Distribution struct {
	criteria Criteria
	bounds   []float64 // as before the change; nil, where nothing is known of then
	before   pooled
	past     float64 // how many values the exposed arm showed before
	allowed  []float64
	// factor is that of bursts before the change, if known.
	factor float64
	known  bool
	state  DistributionState
}

// Slower is where one arm was found to be slower.
type Slower struct {
	Bound float64 `json:"bound"`
	// Exposed and Other are the parts of values within it, Band by how much they may
	// differ by chance, Allowed by how much they did before.
	Exposed float64 `json:"exposed"`
	Other   float64 `json:"other"`
	Band    float64 `json:"band"`
	Allowed float64 `json:"allowed,omitempty"`
	// P is the probability that chance ever shows as much.
	P float64 `json:"p"`
}

// DistributionState is what a Distribution has seen, small enough for a heartbeat. Its
// zero value has seen nothing.
type DistributionState struct {
	presence
	Bounds []float64 `json:"bounds,omitempty"`
	// Differ says how the bounds of the newest look are other ones.
	Differ string `json:"differ,omitempty"`
	// Totals are how many values each arm showed, Sum is both arms' distribution, and
	// Bursts by how much it differs from look to look.
	Totals [2]float64 `json:"totals,omitzero"`
	Sum    pooled     `json:"sum,omitzero"`
	Bursts ripple     `json:"bursts,omitzero"`
	// Found is the first harm that was established.
	Found *Slower `json:"found,omitempty"`
}

// NewDistribution readies a check with the looks before the change; none, where nothing
// is known of then.
func NewDistribution(c Criteria, before []Histograms) *Distribution {
	j := &Distribution{criteria: c}
	var looks [][2]shares
	for _, l := range before {
		arms, ok, differ := j.read(l)
		if !ok[exposed] || differ != "" || !c.Before && !ok[control] {
			continue
		}
		if c.Before {
			arms[control] = shares{within: arms[exposed].within, total: math.Inf(1)}
		}
		j.bounds = j.state.Bounds
		j.past += arms[exposed].total
		j.before = j.before.add(arms)
		looks = append(looks, arms)
	}
	if c.Before && j.before.Weight > 0 {
		for i := range looks { // each is compared with all
			looks[i][control].within = j.usual().within
		}
	}
	j.factor, j.known = scatter(looks)
	if j.before.Weight > 0 {
		j.centre()
	}
	j.state = DistributionState{}
	return j
}

// usual is what the exposed arm showed before the change, for certain.
func (j *Distribution) usual() shares {
	s := shares{total: math.Inf(1)}
	for i := range j.bounds {
		s.within = append(s.within, j.before.share(exposed, i))
	}
	return s
}

// centre sets by how much the exposed arm may be slower at each bound: as much as it may
// have been before the change, which the less is known the more it is.
func (j *Distribution) centre() {
	j.allowed = make([]float64, len(j.bounds))
	if j.criteria.Before || j.past < j.criteria.need() {
		return
	}
	factor := j.factor
	if !j.known {
		factor = max(factor, sequential.UsualBurst)
	}
	for i := range j.allowed {
		doubt := 2 * math.Sqrt(factor) * j.before.noise(i)
		j.allowed[i] = max(0, j.before.gap(i)+doubt)
	}
}

// read answers what the arms of a look show, which of them were seen, and how their
// bounds are not those seen so far.
func (j *Distribution) read(l Histograms) (arms [2]shares, ok [2]bool, differ string) {
	want, whose := j.state.Bounds, "until now"
	if want == nil {
		want, whose = j.bounds, "before the change"
	}
	for arm, h := range []*sequential.Histogram{l.Exposed, l.Control} {
		if arm == control && j.criteria.Before {
			break
		}
		name := []string{"exposed targets", "control"}[arm]
		if arms[arm], ok[arm] = sharesOf(h); !ok[arm] {
			continue
		}
		if want == nil {
			want, whose = h.Bounds, name
		}
		if !slices.Equal(want, h.Bounds) {
			return arms, ok, fmt.Sprintf("the bounds of buckets differ: %s: %s; %s: %s", name, bounds(h.Bounds, want), whose, bounds(want, h.Bounds))
		}
	}
	j.state.Bounds = slices.Clone(want)
	return arms, ok, ""
}

// See takes the next look.
func (j *Distribution) See(l Histograms) {
	arms, ok, differ := j.read(l)
	if ok[exposed] {
		j.state.Seen = l.At
	}
	if j.state.Differ = differ; differ != "" {
		return
	}
	if j.criteria.Before && j.before.Weight > 0 {
		arms[control], ok[control] = j.usual(), true
	}
	if !ok[exposed] || !ok[control] {
		return
	}
	j.state.Any, j.state.Newest = true, l.At
	for arm, s := range arms {
		if j.criteria.Before && arm == control {
			j.state.Totals[arm] = j.past
			continue
		}
		j.state.Totals[arm] += s.total
	}
	j.state.Sum = j.state.Sum.add(arms)
	if !j.known {
		j.state.Bursts = j.state.Bursts.see(arms)
	}
	j.test()
}

// bursts is how many values count as one.
func (j *Distribution) bursts() float64 {
	if j.known {
		return j.factor
	}
	return max(j.factor, j.state.Bursts.factor())
}

// test keeps the harm that is established first.
func (j *Distribution) test() {
	if j.state.Found != nil || j.state.Sum.Weight <= 0 {
		return
	}
	i, ok := j.worst(j.criteria.Alpha)
	if !ok {
		return
	}
	// The smallest level at which it would be established, too.
	low, high := math.Log(1e-12), math.Log(j.criteria.Alpha)
	for range 12 {
		if middle := (low + high) / 2; middle < high {
			if _, ok := j.worst(math.Exp(middle)); ok {
				high = middle
			} else {
				low = middle
			}
		}
	}
	s := j.at(i)
	s.P = min(j.criteria.Alpha, math.Exp(high))
	j.state.Found = &s
}

// worst is the bound at which the exposed arm is slower by more than any other, beyond
// what chance and the past explain at a level.
func (j *Distribution) worst(alpha float64) (at int, ok bool) {
	e, c := j.arms()
	at, _, ok = sequential.WorstBound(e, c, j.first(), alpha)
	return at, ok
}

// first is from how many values on bands hold.
func (j *Distribution) first() float64 { return max(1, j.criteria.need()/j.bursts()) }

// arms are both arms' histograms of as many values as count, the other arm's being what
// is allowed.
func (j *Distribution) arms() (e, c sequential.Histogram) {
	sum := j.state.Sum
	out := [2]sequential.Histogram{}
	for arm := range out {
		h := sequential.Histogram{Bounds: j.state.Bounds, Counts: make([]float64, len(j.state.Bounds)), Total: j.size(arm)}
		for i := range h.Counts {
			h.Counts[i] = sum.share(arm, i)
			if arm == control && j.allowed != nil {
				h.Counts[i] = max(0, h.Counts[i]-j.allowed[i])
			}
		}
		for i := len(h.Counts) - 1; i >= 0; i-- {
			if i+1 < len(h.Counts) {
				h.Counts[i] = min(h.Counts[i], h.Counts[i+1]/h.Total)
			}
			h.Counts[i] *= h.Total
		}
		out[arm] = h
	}
	return out[exposed], out[control]
}

// size is how many values of an arm count.
func (j *Distribution) size(arm int) float64 {
	n := j.state.Sum.size(arm)
	if arm == control && j.criteria.Before {
		n = j.before.size(exposed)
	}
	return n / j.bursts()
}

// at is what is seen at a bound.
func (j *Distribution) at(i int) Slower {
	s := Slower{Bound: j.state.Bounds[i], Exposed: j.state.Sum.share(exposed, i), Other: j.state.Sum.share(control, i), P: 1}
	for arm := range 2 {
		s.Band += sequential.Band(j.size(arm), j.first(), j.criteria.Alpha/2)
	}
	if j.allowed != nil {
		s.Allowed = j.allowed[i]
	}
	return s
}

// State is what was seen so far.
func (j *Distribution) State() DistributionState { return j.state }

// Restore goes on from the state of a Distribution by the same criteria, with the same
// looks before the change. It answers whether it can be one; if not, nothing changes.
func (j *Distribution) Restore(s DistributionState) bool {
	for arm := range 2 {
		if n := len(s.Sum.Within[arm]); n > 0 && n != len(s.Bounds) {
			return false
		}
	}
	if j.bounds != nil && s.Any && !slices.Equal(j.bounds, s.Bounds) || !s.Bursts.fits(len(s.Bounds)) {
		return false
	}
	j.state = s
	return true
}
