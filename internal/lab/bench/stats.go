package main

import (
	"fmt"
	"math"
	"slices"
)

// median is the middle of some numbers; NaN of none.
func median(xs []float64) float64 { return quantile(xs, 0.5) }

// quantile is the smallest number that at least a share q of them do not exceed, or for the median
// of an even count the mean of the middle two; NaN of none.
func quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(xs))
	if n := len(sorted); q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// spread words repeated measurements: the median, and the least and the most.
func spread(xs []float64, format string) string {
	if len(xs) == 0 {
		return "-"
	}
	f := func(x float64) string { return fmt.Sprintf(format, x) }
	if len(xs) == 1 {
		return f(xs[0])
	}
	return fmt.Sprintf("%s (%s to %s)", f(median(xs)), f(slices.Min(xs)), f(slices.Max(xs)))
}

// ratios divides pair by pair: the two of a pair were measured one after the other, so that what
// else the machine did bears on both.
func ratios(of, to []float64) []float64 {
	out := make([]float64, 0, len(of))
	for i := range min(len(of), len(to)) {
		out = append(out, of[i]/to[i])
	}
	return out
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}
