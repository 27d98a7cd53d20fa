package sequential

import "math"

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
