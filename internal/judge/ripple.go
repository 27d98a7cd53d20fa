package judge

import (
	"math"

	"github.com/sluicehq/sluice/internal/sequential"
)

// ripple is by how much more than chance the gaps between both arms' distributions
// differ from one look to the next, at each bound: neither a gap that stays nor, since
// the largest step is left out, one that begins makes it larger. Its zero value has
// seen nothing.
type ripple struct {
	// Last are the gaps of the look before, Weight is its weight.
	Last   sequential.Packed `json:"last,omitempty"`
	Weight float64           `json:"weight,omitempty"`
	// Seen are squared steps, Most the largest, Chance what they are by chance.
	Seen   sequential.Packed `json:"seen,omitempty"`
	Most   sequential.Packed `json:"most,omitempty"`
	Chance sequential.Packed `json:"chance,omitempty"`
	Steps  int               `json:"steps,omitempty"`
}

// see returns the ripple with one look more.
func (r ripple) see(arms [2]shares) ripple {
	w := weight(arms)
	if w <= 0 {
		return r
	}
	n := len(arms[exposed].within)
	next := ripple{
		Last: make(sequential.Packed, n), Weight: w, Steps: r.Steps,
		Seen: make(sequential.Packed, n), Most: make(sequential.Packed, n), Chance: make(sequential.Packed, n),
	}
	if len(r.Last) == n {
		copy(next.Seen, r.Seen)
		copy(next.Most, r.Most)
		copy(next.Chance, r.Chance)
		next.Steps++
	}
	for i := range n {
		e, c := arms[exposed].within[i], arms[control].within[i]
		next.Last[i] = c - e
		if len(r.Last) != n {
			continue
		}
		step := next.Last[i] - r.Last[i]
		squared := step * step / (1/w + 1/r.Weight)
		next.Seen[i] += squared
		next.Most[i] = max(next.Most[i], squared)
		next.Chance[i] += (e + c) / 2 * (1 - (e+c)/2)
	}
	return next
}

// factor is how large it may well be at the bound where it is largest: as many as are
// taken to come together where too little was seen.
func (r ripple) factor() float64 {
	if r.Steps < tellingLooks {
		return sequential.UsualBurst
	}
	factor, n := 1.0, float64(r.Steps-1)
	for i, chance := range r.Chance {
		if chance > 0 {
			// Steps overlap, so they tell less than as many that do not.
			factor = max(factor, excess((r.Seen[i]-r.Most[i])/(chance*n/(n+1)), math.Sqrt(3/n)))
		}
	}
	return factor
}

// fits says that it is one of so many bounds, or has seen nothing.
func (r ripple) fits(bounds int) bool {
	n := len(r.Last)
	return (n == 0 || n == bounds) && len(r.Seen) == n && len(r.Most) == n && len(r.Chance) == n
}
