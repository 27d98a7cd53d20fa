package sequential

import (
	"cmp"
	"math"
	"slices"
)

// candidate is one ratio of the arms' rates that may have been there before the change, with how
// likely it is.
type candidate struct {
	Ratio  float64
	Weight float64
}

// What is believed of arms before anything was seen of them: as a rule they are alike; else their
// rates differ by a factor of e^0.5 or so either way. Of what need not be alike nearly nothing is
// believed. Where events come in bursts, arms that are alike split them unevenly as often as not.
type belief struct {
	// spike is how likely the ratio is 1, width how far its logarithm is from 0 else.
	spike, width float64
}

func alike() belief    { return belief{0.7, 0.5} }
func unsteady() belief { return belief{0.3, 1} }
func anything() belief { return belief{0, 2} }

// centre answers what the ratio of the arms' rates was before the change, from looks at that time:
// a log-normal belief, for arms that are alike as a rule with a spike at 1, by the rule of Bayes.
// dispersion widens what the looks tell. Weights sum to 1, ratios ascend. Without any events
// before, it is 1 for certain.
func centre(before []Pair, dispersion float64, likely bool) []candidate {
	var all Pair
	for _, p := range before {
		if p.usable() {
			all = all.Plus(p)
		}
	}
	if all.bad() == 0 {
		return []candidate{{Ratio: 1, Weight: 1}}
	}
	noise := max(1, dispersion) * (1/(all.Exposed.Bad+0.5) + 1/(all.Control.Bad+0.5))
	prior := anything()
	if likely {
		prior = alike()
	}
	return prior.given(math.Log(RateRatio(before)), noise)
}

// given answers what the ratio was, of which the logarithm was measured with a variance.
func (b belief) given(seen, noise float64) []candidate {
	prior := b.width * b.width
	spike := math.Log(b.spike) + lnNormal(seen, noise)
	slab := math.Log(1-b.spike) + lnNormal(seen, noise+prior)
	variance := 1 / (1/prior + 1/noise)
	mean := variance * seen / noise
	whole := logSum(spike, slab)
	var nodes []candidate
	if b.spike > 0 {
		nodes = append(nodes, candidate{Ratio: 1, Weight: math.Exp(spike - whole)})
	}
	steps := []float64{-3, -2.4, -1.8, -1.2, -0.6, 0, 0.6, 1.2, 1.8, 2.4, 3}
	scale := 0.0
	for _, s := range steps {
		scale += math.Exp(-s * s / 2)
	}
	for _, s := range steps {
		nodes = append(nodes, candidate{
			Ratio:  math.Exp(mean + s*math.Sqrt(variance)),
			Weight: math.Exp(slab-whole-s*s/2) / scale,
		})
	}
	slices.SortFunc(nodes, func(a, b candidate) int { return cmp.Compare(a.Ratio, b.Ratio) })
	return nodes
}

const (
	// leastSplits is how many looks with bad events tell what their split is on average.
	leastSplits = 10
	// fewSplits looks leave twice the variance that they show: the largest bursts are rare, and
	// were not seen yet.
	fewSplits = 20
)

// splitCentre answers what centre does, for bets: they need the split of a look's bad events to be
// its share on average, whereas centre is about sums. Where the rates of the arms go up and down by
// themselves, that is not the same: the exposed arm's part is larger in looks in which the control
// happens to show little. So the parts of all looks count alike here, and how sure their average is
// comes from how they differ. It answers false where too little was seen for that.
func splitCentre(before []Pair, likely bool) ([]candidate, bool) {
	var looks []Pair
	parts := 0.0
	for _, p := range before {
		if z := p.bad(); p.usable() && z > 0 {
			looks = append(looks, p)
			parts += p.Exposed.Bad / z
		}
	}
	if len(looks) < leastSplits || parts == 0 {
		return nil, false
	}
	low, high := -furthest, furthest
	for range 60 {
		if middle := (low + high) / 2; sharesOf(looks, middle) < parts {
			low = middle
		} else {
			high = middle
		}
	}
	if high-low > 1e-6 || low < 1-furthest || high > furthest-1 {
		return nil, false
	}
	slope, noise, four, block := 0.0, 0.0, 0.0, 0.0
	for i, p := range looks {
		share := p.share(math.Exp(low))
		slope += share * (1 - share)
		off := p.Exposed.Bad/p.bad() - share
		noise += off * off
		if block += off; i%4 == 3 {
			four += block * block
			block = 0
		}
	}
	if noise = max(noise, four) / (slope * slope); noise <= 0 {
		return nil, false
	}
	noise *= 1 + fewSplits/float64(len(looks))
	if !likely {
		return anything().given(low, noise), true
	}
	return unsteady().given(low, noise), true
}

// furthest is the logarithm of the largest ratio that is looked for.
const furthest = 8.0

// sharesOf adds up the shares of looks at a ratio, of which the logarithm is given.
func sharesOf(looks []Pair, ratio float64) float64 {
	total := 0.0
	for _, p := range looks {
		total += p.share(math.Exp(ratio))
	}
	return total
}

// lnNormal is the logarithm of a normal density around 0, but for a constant.
func lnNormal(x, variance float64) float64 { return -x*x/(2*variance) - math.Log(variance)/2 }
