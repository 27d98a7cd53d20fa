package sequential

import (
	"math"

	"gonum.org/v1/gonum/stat/combin"
)

// BinomialTail is how likely k or more of n events are each with probability p, for k
// above what is expected: the upper tail of a binomial distribution. Otherwise it is
// 1. Counts may be fractions. Of more than mostTail events it knows as much as of
// that many, which is to say less.
func BinomialTail(k, n, p float64) float64 {
	if n > mostTail {
		k, n = k*(mostTail/n), mostTail
	}
	switch {
	case k <= n*p || p >= 1:
		return 1
	case p <= 0 || k > n:
		return 0
	}
	// The first term by logarithms, since both its parts leave the range of numbers; the others
	// shrink from there on.
	term := math.Exp(combin.LogGeneralizedBinomial(n, k) + k*math.Log(p) + (n-k)*math.Log1p(-p))
	sum := 0.0
	for i := k; i <= n && term > sum*1e-12; i++ {
		sum += term
		term *= (n - i) / (i + 1) * p / (1 - p)
	}
	return min(1, sum)
}

// mostTail is up to how many events logarithms of the binomial coefficients are exact to some
// digits.
const mostTail = 1e9
