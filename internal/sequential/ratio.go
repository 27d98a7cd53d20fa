package sequential

import "math"

// Ratio is a confidence sequence for a ratio of bad events to all events: at every look together,
// the true ratio lies between low and high with probability 1-alpha at least. It is narrowest, for
// its kind, around tOpt events. Counts need not be whole. Whatever cannot be, or says nothing,
// gives 0 and 1.
//
// It holds the ratios that notRatio has not refuted, with the prior's strength tuned as in Howard,
// Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences"
// (Annals of Statistics, 2021), §3.2 and §3.5. The strength does not depend on alpha, so a smaller
// alpha always is a wider interval.
func Ratio(bad, total, alpha, tOpt float64) (low, high float64) {
	if !countable(bad, total) || !(alpha > 0 && alpha < 1) || !(tOpt > 0 && tOpt <= uncountable) {
		return 0, 1
	}
	strength, threshold := priorStrength(tOpt), -math.Log(alpha)
	refuted := func(ratio float64) bool { return notRatio(bad, total, ratio, strength) >= threshold }
	seen := bad / total
	if refuted(seen) { // only rounding can do this
		return 0, 1
	}
	low, high = 0, 1
	if bad > 0 {
		low = edge(0, seen, refuted)
	}
	if bad < total {
		high = edge(1, seen, refuted)
	}
	return low, high
}

// priorStrength is how many events the prior of a test of a ratio should be worth, for the test to
// need as few as possible around tOpt events: the optimum of the normal mixture at a level of 5 %,
// which is flat, less the event that a Bernoulli mixture's prior has by itself (Howard and others,
// 2021, §3.5). It is above 0 always.
func priorStrength(tOpt float64) float64 {
	const least = 1e-3
	if !(tOpt > 0) || tOpt > uncountable {
		return least
	}
	x := 2 * math.Log(20)
	return max(least, tOpt/(x+math.Log1p(x))-1)
}

// edge halves the way from outer, which may be refuted, to inner, which is not. It answers the
// outer side of where that changes.
func edge(outer, inner float64, refuted func(float64) bool) float64 {
	for range 200 {
		middle := outer + (inner-outer)/2
		if middle == outer || middle == inner {
			break
		}
		if refuted(middle) {
			outer = middle
		} else {
			inner = middle
		}
	}
	return outer
}

// notRatio is the evidence, in nats, against the true ratio being just ratio: the logarithm of a
// beta-binomial mixture with the prior Beta(strength·ratio, strength·(1-ratio)) (Robbins,
// "Statistical methods related to the law of the iterated logarithm", 1970; Howard and others,
// 2021, appendix A). As long as the ratio is the true one, it ever reaches ln(1/α) with probability
// α at most. It is 0, no evidence, for whatever cannot be.
func notRatio(bad, total, ratio, strength float64) float64 {
	switch {
	case !countable(bad, total) || !(ratio >= 0 && ratio <= 1) || !(strength > 0 && strength <= uncountable):
		return 0
	case ratio == 0 && bad > 0, ratio == 1 && bad < total:
		return proof
	case ratio == 0, ratio == 1:
		return 0
	}
	a, b := strength*ratio, strength*(1-ratio)
	bads, goods, all := a+bad, b+(total-bad), strength+total
	// The logarithms of the beta functions, with what cancels taken out: sums of 1e12 events keep
	// their digits.
	return finite(deviance(bads, all*ratio) + deviance(goods, all*(1-ratio)) +
		(math.Log(all/strength)+math.Log(a/bads)+math.Log(b/goods))/2 +
		stirling(bads) + stirling(goods) - stirling(all) -
		stirling(a) - stirling(b) + stirling(strength))
}

// proof is the evidence where the null hypothesis rules out what was seen: more than any threshold,
// and finite, so that it can be kept as JSON.
const proof = 1e300

// finite keeps evidence finite.
func finite(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max(x, -proof), proof)
}

// uncountable is more events than anything has.
const uncountable = 1e15

// countable says that there are events, and that bad of total can be.
func countable(bad, total float64) bool {
	return bad >= 0 && bad <= total && total > 0 && total <= uncountable
}

// deviance is x·ln(x/mean) + mean - x, exact also where x is close to mean (Loader, "Fast and
// accurate computation of binomial probabilities", 2000).
func deviance(x, mean float64) float64 {
	if x == 0 {
		return mean
	}
	if math.Abs(x-mean) >= 0.1*(x+mean) {
		return x*math.Log(x/mean) + mean - x
	}
	v := (x - mean) / (x + mean)
	total, power := (x-mean)*v, 2*x*v
	for j := 3.0; j < 100; j += 2 {
		power *= v * v
		next := total + power/j
		if next == total {
			break
		}
		total = next
	}
	return total
}

// stirling is what Stirling's formula leaves of ln Γ(x), for x above 0.
func stirling(x float64) float64 {
	if x < 16 {
		whole, _ := math.Lgamma(x)
		return whole - (x-0.5)*math.Log(x) + x - math.Log(2*math.Pi)/2
	}
	y := 1 / (x * x)
	return (1./12 - y*(1./360-y*(1./1260-y*(1./1680-y/1188)))) / x
}
