package sequential

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Band is how far an empirical distribution function of t values is from the true
// one, anywhere: at every t from first on together, it is farther with probability
// alpha at most. It is 1, which says nothing, before first, and for what cannot be.
// first is 1 at least; values must be independent and of one distribution.
//
// It is A·√((ln(1+ln(t/first))+C)/t) with A = 0.85, from Howard and Ramdas,
// "Sequential estimation of quantiles with applications to A/B testing and best-arm
// identification" (Bernoulli, 2022), theorem 2.
func Band(t, first, alpha float64) float64 {
	if !(alpha > 0 && alpha < 1) || !(first >= 1 && first <= t) || t > uncountable {
		return 1
	}
	return bandOf(t, first, iterated(alpha))
}

// amplitude is A of the band: above √½, and near it the band is narrow late, far
// from it early. The authors' choice.
const amplitude = 0.85

func bandOf(t, first, c float64) float64 {
	if !(first >= 1 && first <= t) || t > uncountable {
		return 1
	}
	return min(1, amplitude*math.Sqrt((math.Log1p(math.Log(t/first))+c)/t))
}

// iterated is the smallest C with which the band keeps to alpha.
func iterated(alpha float64) float64 {
	low, high := 0.0, 1.0
	for crossing(high) > alpha && high < 1e6 {
		low, high = high, 2*high
	}
	for range 45 {
		if middle := (low + high) / 2; crossing(middle) > alpha {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// crossing bounds the probability that the band with c is ever left. Time is cut
// into epochs that grow by a factor of η, of which the best is taken.
func crossing(c float64) float64 {
	chance := func(eta float64) float64 {
		slack := amplitude - math.Sqrt(2*(eta-1)/c)
		squared := 2 / eta * slack * slack
		if slack <= 0 || squared <= 1 {
			return math.Inf(1)
		}
		return 4 * math.Exp(-squared*c) * (1 + 1/((squared-1)*math.Log(eta)))
	}
	// The largest η with squared > 1, above which the bound says nothing.
	eta, beyond := 1.0, 2*amplitude*amplitude
	for range 40 {
		if middle := (eta + beyond) / 2; math.IsInf(chance(middle), 1) {
			beyond = middle
		} else {
			eta = middle
		}
	}
	// Golden sections: the bound falls, then rises.
	const golden = 0.6180339887498949
	low, high := 1.0, eta
	for range 30 {
		left, right := high-golden*(high-low), low+golden*(high-low)
		if chance(left) < chance(right) {
			high = right
		} else {
			low = left
		}
	}
	return chance((low + high) / 2)
}

// Histogram counts values up to each bound, as Prometheus does: Counts[i] are the
// values that are Bounds[i] or less, and Total is all values. Bounds ascend and are
// finite. Counts need not be whole.
type Histogram struct {
	Bounds []float64
	Counts []float64
	Total  float64
}

// Check says what is wrong with a histogram, if anything is.
func (h Histogram) Check() error {
	if len(h.Bounds) == 0 || len(h.Bounds) != len(h.Counts) {
		return fmt.Errorf("histogram: %d bounds and %d counts: need as many of both, and one at least", len(h.Bounds), len(h.Counts))
	}
	if !(h.Total > 0 && h.Total <= uncountable) {
		return errors.New("histogram: no values, or more than can be")
	}
	// Sums of estimated counts may be off by their last digits.
	before, slip := 0.0, 1e-9*h.Total
	for i, bound := range h.Bounds {
		switch {
		case math.IsNaN(bound) || math.IsInf(bound, 0):
			return fmt.Errorf("histogram: bound %v is not finite: leave it out, Total is all values", bound)
		case i > 0 && bound <= h.Bounds[i-1]:
			return fmt.Errorf("histogram: bound %v does not ascend", bound)
		case !(h.Counts[i] >= before-slip && h.Counts[i] <= h.Total+slip):
			return fmt.Errorf("histogram: count %v at bound %v is below the one before, or above all", h.Counts[i], bound)
		}
		before = max(before, h.Counts[i])
	}
	return nil
}

// WorstBound answers the place of the bound within which exposed has fewer of its values
// than control, as a share, and by how much at least: the largest gap, above 0, if ok.
// As long as both have the same distribution, or exposed is better everywhere, it ever
// is ok with probability alpha at most, over all looks from first values in both arms
// on, and over all bounds. It is not ok where bounds differ, and for what cannot be;
// [Histogram.Check] says why.
//
// It compares two bands at alpha/2 each, so it needs gaps of about 3/√t and is far
// weaker, at a bound that is known before, than the counts above that bound. Both
// distributions must stay what they are while they are summed up, or change alike
// while the arms' shares do not.
func WorstBound(exposed, control Histogram, first, alpha float64) (at int, gap float64, ok bool) {
	if exposed.Check() != nil || control.Check() != nil || !slices.Equal(exposed.Bounds, control.Bounds) ||
		!(alpha > 0 && alpha < 1) {
		return 0, 0, false
	}
	c := iterated(alpha / 2)
	bands := bandOf(exposed.Total, first, c) + bandOf(control.Total, first, c)
	for i := range exposed.Bounds {
		apart := control.Counts[i]/control.Total - exposed.Counts[i]/exposed.Total - bands
		if apart > gap {
			at, gap, ok = i, apart, true
		}
	}
	return at, gap, ok
}
