package sequential

import "math"

// Stats are the running number, mean and sum of squared deviations of a sample
// (Welford, 1962). The zero value has seen nothing. Mean and M2 never overflow.
type Stats struct{ N, Mean, M2 float64 }

// Add returns the moments with one more value. A value that is no number, infinite,
// or beyond 1e100 either way is left out; so is what was seen before, if that cannot be.
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
