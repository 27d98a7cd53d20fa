package sequential

import "math"

// Moments are the running number, mean and sum of squared deviations of a sample
// (Welford, 1962): all that a confidence sequence for a mean keeps. The zero value
// has seen nothing. It can be kept as JSON, and Mean and M2 never overflow.
type Moments struct {
	N    float64 `json:"n"`
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"`
}

// Add returns the moments with one more value. A value that is no number, infinite,
// or beyond 1e100 either way is left out.
func (m Moments) Add(x float64) Moments { return m.Merge(Moments{N: 1, Mean: x}) }

// Merge returns the moments of both samples together (Chan, Golub and LeVeque,
// 1979). A sample that cannot be is left out.
func (m Moments) Merge(other Moments) Moments {
	switch {
	case !other.sound():
		return m
	case !m.sound():
		return other
	}
	n, apart := m.N+other.N, other.Mean-m.Mean
	return Moments{
		N:    n,
		Mean: m.Mean + apart*(other.N/n),
		M2:   m.M2 + other.M2 + apart*apart*m.N*(other.N/n),
	}
}

// sound says that there is a sample, and that it can be.
func (m Moments) sound() bool {
	const far = 1e100
	return m.N > 0 && m.N <= uncountable && math.Abs(m.Mean) <= far && m.M2 >= 0 && m.M2 <= 4*far*far*uncountable
}

// fewest is the smallest sample that anything is said about, since what follows rests
// on the central limit theorem. From 500 values on, means of log-normal values (σ = 1)
// missed in 3.8 % of 4,000 runs at 5 %; from 200 on, in 5.8 %.
const fewest = 500

// variance is that of one value. ok is false where too little was seen, or where all
// values were the same: then nothing is known of how much they vary.
func (m Moments) variance() (s2 float64, ok bool) {
	if !m.sound() || m.N < fewest || m.M2 == 0 {
		return 0, false
	}
	return m.M2 / (m.N - 1), true
}

// HalfWidth is how far the true mean may be from Mean, to either side: over all
// looks together it is farther with probability alpha at most, for large samples of
// independent values. It is narrowest around nOpt values, which are 1 at least. It is infinite below 500
// values, where all values were the same, and for what cannot be.
//
// It is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy
// and Ramdas, "Time-uniform central limit theory and asymptotic confidence
// sequences" (Annals of Statistics, 2024), theorem 2.2, with its parameter tuned as
// in their appendix on the choice of ρ.
func (m Moments) HalfWidth(alpha, nOpt float64) float64 { return m.width(alpha, nOpt, twoSided) }

// Margin is [Moments.HalfWidth] for one side only: with probability alpha at most,
// the true mean ever is more than this above Mean; and the same for below (their
// one-sided sequence).
func (m Moments) Margin(alpha, nOpt float64) float64 { return m.width(alpha, nOpt, oneSided) }

func (m Moments) width(alpha, nOpt float64, s sides) float64 {
	s2, ok := m.variance()
	if !ok {
		return math.Inf(1)
	}
	return math.Sqrt(s2/m.N) * s.errors(m.N, alpha, nOpt)
}

// Difference is a confidence sequence for the mean of a less that of b: over all
// looks together, it lies between low and high but for a probability of alpha, for
// large samples of independent values. nOpt is as in [Moments.HalfWidth], if b is
// much larger than a; twice as much per sample, if both are equal. It is infinite
// where either sample is too small or cannot be, or where none of the values vary.
//
// Where samples vary, the difference of their means has independent increments in
// statistical information, whatever the samples' sizes, as long as these do not
// depend on the values (Jennison and Turnbull, "Group sequential methods", 2000,
// chapter 3). Both means must stay what they are: if a level that both share moves
// while the sizes' proportion changes, take the difference look by look, as one
// sample.
func Difference(a, b Moments, alpha, nOpt float64) (low, high float64) {
	width := difference(a, b, alpha, nOpt, twoSided)
	if math.IsInf(width, 1) {
		return math.Inf(-1), math.Inf(1)
	}
	return a.Mean - b.Mean - width, a.Mean - b.Mean + width
}

// AtLeast is the lower side of a [Difference]: with probability alpha at most, the
// mean of a less that of b ever is below it. Minus infinity is no bound.
func AtLeast(a, b Moments, alpha, nOpt float64) float64 {
	width := difference(a, b, alpha, nOpt, oneSided)
	if math.IsInf(width, 1) {
		return math.Inf(-1)
	}
	return a.Mean - b.Mean - width
}

func difference(a, b Moments, alpha, nOpt float64, s sides) float64 {
	both := a.sound() && b.sound() && a.N >= fewest && b.N >= fewest
	if !both || a.M2+b.M2 == 0 {
		return math.Inf(1)
	}
	one, other := a.M2/(a.N-1), b.M2/(b.N-1)
	squared := one/a.N + other/b.N
	// How many values of one sample would tell as much. The scale does not depend on
	// the samples' sizes, since it may not change while they do.
	n := (one + other) / 2 / squared
	return math.Sqrt(squared) * s.errors(n, alpha, nOpt)
}

// sides is whether a bound is to hold on both sides of an estimate, or on one.
type sides int

const (
	twoSided sides = iota
	oneSided
)

// tuning is the level that sequences are tuned for. It is the same for every alpha,
// so that a smaller alpha always is a wider interval; the optimum is flat.
const tuning = 0.05

// errors is the width of the sequence after n values, in standard errors of their
// mean.
func (s sides) errors(n, alpha, nOpt float64) float64 {
	if !(alpha > 0 && alpha < 1) || !(nOpt >= 1 && nOpt <= uncountable) || !(n > 0) {
		return math.Inf(1)
	}
	x := -2 * math.Log(tuning)
	if s == oneSided {
		x = -2 * math.Log(2*tuning)
	}
	nr2 := n * (x + math.Log1p(x)) / nOpt // n·ρ²
	reach := math.Log1p(nr2)/2 - math.Log(alpha)
	if s == oneSided {
		reach = math.Log1p(math.Sqrt(nr2+1) / (2 * alpha))
	}
	return math.Sqrt(2 * (nr2 + 1) / nr2 * reach)
}
