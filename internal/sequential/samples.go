package sequential

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// Stats are the running number, mean and sum of squared deviations of a sample (Welford, 1962). The
// zero value has seen nothing. Mean and M2 never overflow.
type Stats struct{ N, Mean, M2 float64 }

// Add returns the moments with one more value. A value that is no number, infinite, or beyond 1e100
// either way is left out; so is what was seen before, if that cannot be.
func (m Stats) Add(x float64) Stats {
	one := Stats{N: 1, Mean: x}
	switch {
	case !one.sound():
		return m
	case !m.sound():
		return one
	}
	n, apart := m.N+1, x-m.Mean
	return Stats{N: n, Mean: m.Mean + apart/n, M2: m.M2 + apart*apart*m.N/n}
}

// sound says that there is a sample, and that it can be.
func (m Stats) sound() bool {
	const far = 1e100
	return m.N > 0 && m.N <= uncountable && math.Abs(m.Mean) <= far && m.M2 >= 0 && m.M2 <= 4*far*far*uncountable
}

// The tests in this file are not sequential: each keeps its promise for one reading. Who reads
// several times splits alpha among the readings.

// Above is the probability that chance makes the mean of a exceed that of b by as much as it does,
// or more, if both are the same: the test of Welch, "The generalization of Student's problem when
// several different population variances are involved" (Biometrika, 1947). Values must be
// independent and their means about normal. It is 1 where either sample has fewer than two values
// or cannot be, and where a's mean is not the larger one; 0 where neither sample varies but the
// means differ.
func Above(a, b Stats) float64 {
	if !a.sound() || !b.sound() || a.N < 2 || b.N < 2 || !(a.Mean > b.Mean) {
		return 1
	}
	one, other := a.M2/(a.N-1)/a.N, b.M2/(b.N-1)/b.N
	if one+other == 0 {
		return 0
	}
	part := one / (one + other)
	freedom := 1 / (part*part/(a.N-1) + (1-part)*(1-part)/(b.N-1))
	return Student((a.Mean-b.Mean)/math.Sqrt(one+other), freedom)
}

// AboveZero is what Above is for the mean of one sample and 0 (Student, "The probable error of a
// mean", Biometrika, 1908).
func AboveZero(a Stats) float64 {
	if !a.sound() || a.N < 2 || !(a.Mean > 0) {
		return 1
	}
	if a.M2 == 0 {
		return 0
	}
	return Student(a.Mean/math.Sqrt(a.M2/(a.N-1)/a.N), a.N-1)
}

// Student is the probability that a value of Student's distribution is above t, for t above 0.
func Student(t, freedom float64) float64 {
	if t > 1e100 {
		return 0
	}
	return mathext.RegIncBeta(freedom/2, 0.5, freedom/(freedom+t*t)) / 2
}

// RankedAbove is the probability that chance ranks the values of a as high among those of b as they
// are, or higher, if each value might as well be of the other sample: the test of Mann and Whitney,
// "On a test of whether one of two random variables is stochastically larger than the other"
// (1947), whatever the distribution. It is exact, also with ties, where the smaller sample is
// small; else the normal approximation with corrections for ties and continuity, which far out says
// less than the truth. It is 1 where a sample is empty or holds what is no number.
func RankedAbove(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, math.IsNaN) || slices.ContainsFunc(b, math.IsNaN) {
		return 1
	}
	ranks := doubled(append(slices.Clone(a), b...))
	sum := 0
	for _, r := range ranks[:len(a)] {
		sum += r
	}
	few, all := min(len(a), len(b)), len(ranks)
	if len(b) < len(a) { // as likely, and less to count: the others rank low
		sum = 0
		for _, r := range ranks[len(a):] {
			sum += 2*(all+1) - r
		}
		for i, r := range ranks {
			ranks[i] = 2*(all+1) - r
		}
	}
	if few*few*all*all <= mostSums {
		return drawAbove(ranks, few, sum)
	}
	mean := float64(few) * float64(all+1)
	spread := 0.0
	for _, r := range ranks {
		off := float64(r - all - 1)
		spread += off * off
	}
	n, m, k := float64(all), float64(few), float64(all-few)
	return normalAbove((float64(sum) - mean - 1) / math.Sqrt(m*k/n*spread/(n-1)))
}

// mostSums bounds the work of counting draws.
const mostSums = 4e6

// drawAbove is the probability that few of the ranks, drawn without replacement, add up to sum or
// more.
func drawAbove(ranks []int, few, sum int) float64 {
	ranks = slices.Sorted(slices.Values(ranks))
	top := 1
	for _, r := range ranks[len(ranks)-few:] {
		top += r
	}
	ways := make([][]float64, few+1) // of so many ranks, by their sum
	for i := range ways {
		ways[i] = make([]float64, top)
	}
	ways[0][0] = 1
	for seen, r := range ranks {
		for k := min(few, seen+1); k > 0; k-- {
			most := 0 // the sum of the k largest so far
			for _, r := range ranks[seen+1-k : seen+1] {
				most += r
			}
			to, from := ways[k][r:most+1], ways[k-1]
			for s := range to {
				to[s] += from[s]
			}
		}
	}
	return upperPart(ways[few], sum)
}

// RankedAboveZero is the probability that chance makes positive values as many and as large as they
// are, or more, if each might as well have the other sign: the test of signed ranks of Wilcoxon,
// "Individual comparisons by ranking methods" (1945), exact also with ties. Zeros are left out. It
// is 1 where nothing is left, where a value is no number, and for more than 1,000 values.
func RankedAboveZero(values []float64) float64 {
	var sizes []float64
	var positive []bool
	for _, v := range values {
		if math.IsNaN(v) {
			return 1
		}
		if v != 0 {
			sizes, positive = append(sizes, math.Abs(v)), append(positive, v > 0)
		}
	}
	if len(sizes) == 0 || len(sizes) > 1000 {
		return 1
	}
	ranks, sum, top := doubled(sizes), 0, 1
	for i, r := range ranks {
		top += r
		if positive[i] {
			sum += r
		}
	}
	ways := make([]float64, top) // as probabilities: there are too many to count
	ways[0] = 1
	for _, r := range ranks {
		for s := top - 1; s >= 0; s-- {
			ways[s] /= 2
			if s >= r {
				ways[s] += ways[s-r] / 2
			}
		}
	}
	return upperPart(ways, sum)
}

// upperPart is the part of a sum that its terms from a place on are.
func upperPart(of []float64, from int) float64 {
	above, all := 0.0, 0.0
	for s, v := range of {
		all += v
		if s >= from {
			above += v
		}
	}
	return min(1, above/all)
}

// doubled are twice the ranks of values, from 2 up; ties share theirs.
func doubled(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	out := make([]int, len(values))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = from + to + 1
		}
		from = to
	}
	return out
}

// normalAbove is the probability of a standard normal value above x.
func normalAbove(x float64) float64 {
	if math.IsNaN(x) {
		return 1
	}
	return math.Erfc(x/math.Sqrt2) / 2
}

// Wilson is the 95% interval of a share, of which so many tries were hits ("Probable inference, the
// law of succession, and statistical inference", 1927); 0 and 1 where nothing was tried. Neither
// need be whole.
func Wilson(hits, tries float64) (low, high float64) {
	if !(tries > 0) {
		return 0, 1
	}
	const z = 1.959964
	n, p := tries, hits/tries
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	low, high = max(0, middle-half), min(1, middle+half)
	if hits == 0 { // but for rounding
		low = 0
	}
	return low, high
}
