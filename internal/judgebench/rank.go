package main

import (
	"math"
	"slices"
)

// rankTest is the outcome of Mann and Whitney's test of two samples: "On a test of
// whether one of two random variables is stochastically larger than the other"
// (1947).
type rankTest struct {
	// u is how often a value of the first sample is above one of the second; half of
	// each tie.
	u float64
	// z is how far that is from what equal distributions make of it, in standard
	// deviations corrected for ties. It is 0 where all values are the same.
	z float64
	// larger and smaller are the probabilities of a u as large, or as small, if both
	// distributions are equal; different is for both sides. They are by the normal
	// approximation, corrected for ties and for continuity: from about eight
	// values in each sample on.
	larger, smaller, different float64
}

// mannWhitney compares two samples. ok is false if either is empty, or holds what is
// no number. An infinite value ranks as such.
func mannWhitney(first, second []float64) (t rankTest, ok bool) {
	type ranked struct {
		value float64
		first bool
	}
	all := make([]ranked, 0, len(first)+len(second))
	for _, x := range first {
		all = append(all, ranked{x, true})
	}
	for _, x := range second {
		all = append(all, ranked{x, false})
	}
	if len(first) == 0 || len(second) == 0 ||
		slices.ContainsFunc(all, func(r ranked) bool { return math.IsNaN(r.value) }) {
		return rankTest{}, false
	}
	slices.SortFunc(all, func(a, b ranked) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	ranks, ties := 0.0, 0.0
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].value == all[from].value {
			to++
		}
		for _, r := range all[from:to] {
			if r.first {
				ranks += float64(from+to+1) / 2 // the mean of from+1 … to
			}
		}
		size := float64(to - from)
		ties += size * (size*size - 1)
		from = to
	}
	m, k := float64(len(first)), float64(len(second))
	n := m + k
	t.u = ranks - m*(m+1)/2
	variance := m * k / 12 * (n + 1 - ties/(n*(n-1)))
	return t.approximate(t.u-m*k/2, math.Sqrt(max(0, variance))), true
}

// approximate fills in what follows from how far u is from its mean. Continuity is
// corrected for towards the mean on each side, and never beyond it on both.
func (t rankTest) approximate(apart, deviation float64) rankTest {
	if deviation == 0 {
		t.larger, t.smaller, t.different = 1, 1, 1
		return t
	}
	t.z = apart / deviation
	t.larger = normalAbove((apart - 0.5) / deviation)
	t.smaller = normalAbove((-apart - 0.5) / deviation)
	t.different = min(1, 2*normalAbove(max(0, math.Abs(apart)-0.5)/deviation))
	return t
}

// normalAbove is the probability of a standard normal value above x.
func normalAbove(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }
