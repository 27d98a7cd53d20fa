// Package rank compares two samples by their ranks.
package rank

import (
	"cmp"
	"math"
	"slices"
)

// MannWhitney is how far the ranks of the first sample are above those of the second, in standard
// deviations of what equal distributions make of them, corrected for ties: the test of Mann and
// Whitney, "On a test of whether one of two random variables is stochastically larger than the
// other" (1947), by the normal approximation. It is 0 where all values are the same, and no number
// if either sample is empty or holds one that is none. An infinite value ranks as such.
func MannWhitney(first, second []float64) float64 {
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
		return math.NaN()
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Compare(a.value, b.value) })
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
	variance := m * k / 12 * (n + 1 - ties/(n*(n-1)))
	if !(variance > 0) {
		return 0
	}
	return (ranks - m*(n+1)/2) / math.Sqrt(variance)
}
