package sequential

import "math"

// scaled is a positive number of any size: Value times exp(Shift). Most stay near 1, and then need
// no logarithm. Its zero value is 0.
type scaled struct{ Value, Shift float64 }

// tiny and huge are where Value is taken back to 1.
const (
	tiny = 1e-100
	huge = 1e100
)

// plus adds a number.
func (s scaled) plus(v float64) scaled {
	switch {
	case v == 0:
		return s
	case s.Value == 0:
		return scaled{Value: v}
	case s.Shift == 0:
		s.Value += v
		return s
	}
	s.Value += v * math.Exp(-min(s.Shift, 700))
	if s.Shift < -600 { // the number that was there is nothing beside v
		return scaled{Value: v}
	}
	return s.normalized()
}

// times multiplies by exp(ln)·factor.
func (s scaled) times(factor, ln float64) scaled {
	s.Value *= factor
	s.Shift += ln
	return s.normalized()
}

func (s scaled) normalized() scaled {
	if s.Value > 0 && (s.Value < tiny || s.Value > huge) {
		s.Shift += math.Log(s.Value)
		s.Value = 1
	}
	return s
}

// number is the number itself, as far as it can be one.
func (s scaled) number() float64 {
	if s.Shift == 0 {
		return s.Value
	}
	return s.Value * math.Exp(s.Shift)
}

// mixture is an e-process: a weighted mixture of components, each of which may begin at any look;
// acc[j] is the sum of component j over the starts so far.
type mixture struct {
	acc    []scaled
	weight []float64
}

func newMixture(weights []float64) mixture {
	return mixture{acc: make([]scaled, len(weights)), weight: weights}
}

// begin lets components begin at the next look with prior weight v, before its factors are
// multiplied in.
func (m mixture) begin(v float64) {
	for j := range m.acc {
		m.acc[j] = m.acc[j].plus(v)
	}
}

// evidence is the mixture's logarithm, with the weight of starts still to come.
func (m mixture) evidence(later float64) float64 {
	total := later
	for j, a := range m.acc {
		total += m.weight[j] * a.number()
	}
	if total > 0 && total < huge*huge {
		return math.Log(total)
	}
	terms := []float64{math.Log(max(later, math.SmallestNonzeroFloat64))}
	for j, a := range m.acc {
		if a.Value > 0 {
			terms = append(terms, math.Log(a.Value*m.weight[j])+a.Shift)
		}
	}
	return logSum(terms...)
}
