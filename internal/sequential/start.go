package sequential

import "math"

// Start spreads prior weight over the look at which a fault may begin: First of it
// on the first look, the rest evenly on the others of Looks. The zero value puts all
// of it on the first.
type Start struct {
	Looks int
	First float64
}

// at is the weight of a start at look i, counted from 0.
func (s Start) at(i int) float64 {
	switch {
	case s.Looks <= 1 && i == 0:
		return 1
	case i == 0:
		return s.First
	case i < s.Looks:
		return (1 - s.First) / float64(s.Looks-1)
	}
	return 0
}

// after is the weight of all starts from look i on.
func (s Start) after(i int) float64 {
	switch {
	case i == 0:
		return 1
	case i >= s.Looks:
		return 0
	}
	return (1 - s.First) * float64(s.Looks-i) / float64(s.Looks-1)
}

// none is the evidence of a component that has not begun. It is finite, so that it
// can be kept as JSON.
const none = -1e300

// mixture is an e-process: a mixture of components, each of which may begin at any
// look. Component j's evidence is acc[j], the logarithm of a sum over starts so far.
type mixture struct {
	acc []float64
	// weight are the logarithms of the components' weights.
	weight []float64
}

func newMixture(weights []float64) mixture {
	m := mixture{acc: make([]float64, len(weights)), weight: make([]float64, len(weights))}
	for j, w := range weights {
		m.acc[j], m.weight[j] = none, math.Log(w)
	}
	return m
}

// begin lets components begin at the next look with prior weight v, before its
// factors are multiplied in.
func (m mixture) begin(v float64) {
	if v <= 0 {
		return
	}
	ln := math.Log(v)
	for j, a := range m.acc {
		m.acc[j] = add(a, ln)
	}
}

// evidence is the mixture's, with the weight of starts that are still to come.
func (m mixture) evidence(later float64) float64 {
	out := float64(none)
	if later > 0 {
		out = math.Log(later)
	}
	for j, a := range m.acc {
		out = add(out, a+m.weight[j])
	}
	return out
}

// add is ln(exp(a) + exp(b)).
func add(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if a-b > 40 {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
