package sequential

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// deviance is x·ln(x/mean) + mean - x, exact also where x is close to mean (Loader,
// "Fast and accurate computation of binomial probabilities", 2000).
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

// tail is ln ∫ (θ/x)^a ((1-θ)/(1-x))^b / (θ(1-θ)) dθ from x to 1: the upper part of
// the incomplete beta function, relative to its integrand at x. Neither the size of
// a and b nor how far x is from where they lie costs digits or time: the integral is
// over the log-odds, where the logarithm of the integrand is concave.
func tail(a, b, x float64) float64 {
	// at is the logarithm of the integrand when the odds are e^d times those of x.
	at := func(d float64) float64 {
		if d < 1 {
			return a*d - (a+b)*math.Log1p(x*math.Expm1(d))
		}
		return -b*d - (a+b)*math.Log(x+(1-x)*math.Exp(-d))
	}
	top := max(0, math.Log(a)-math.Log(b)+math.Log1p(-x)-math.Log(x))
	highest := at(top)
	fall := func(way float64) float64 { return highest - at(top+way) }

	nodes, weights := make([]float64, 48), make([]float64, 48)
	quad.Legendre{}.FixedLocations(nodes, weights, -1, 1)
	area := func(from, to float64) float64 {
		sum, half := 0.0, (to-from)/2
		for i, node := range nodes {
			sum += weights[i] * half * math.Exp(-fall(from+half*(1+node)))
		}
		return sum
	}
	odds := top + math.Log(x) - math.Log1p(-x) // logarithm of those at the top
	whole := side(fall, area, 1, math.Inf(1), -odds)
	if top > 0 {
		whole += side(fall, area, -1, top, odds)
	}
	return highest + math.Log(whole)
}

// side adds the area up from the highest point one way, to the end or to where
// nothing is left, in steps that double: the first is where the curve has fallen by
// a factor of e at most. Steps are small up to the bend, where the odds are even:
// beyond, the logarithm is a straight line.
func side(fall func(float64) float64, area func(from, to float64) float64, sign, end, bend float64) float64 {
	const (
		nothing = 45 // nats: less than the last digit
		small   = 16
		past    = 40 // nats from the bend, where nothing of it is left
	)
	step := min(1, end)
	for step < end && step < 1e300 && fall(sign*step) < 1 {
		step *= 2
	}
	for step > 1e-300 && fall(sign*step) > 1 {
		step /= 2
	}
	whole, from, to := 0.0, 0.0, min(step, end)
	for to > from {
		if from < bend+past {
			to = min(to, from+small)
		}
		whole += sign * area(sign*from, sign*to)
		if fall(sign*to) > nothing {
			break
		}
		from, to = to, min(max(2*to, step), end)
	}
	return whole
}
