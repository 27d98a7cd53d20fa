package simulate

import (
	"math"
	"slices"
	"time"
)

// Score sums up what a deployment did to a fleet.
type Score struct {
	// Harmed says that the release did harm at all. Detected is how long after its first harm the
	// first target was told to go back, and Undone how long after it the harm was over; both only
	// where there was harm, and that is so.
	Harmed   bool           `json:"harm"`
	Detected *time.Duration `json:"detected,omitempty"`
	Undone   *time.Duration `json:"undone,omitempty"`
	// Exposed is the largest share of the fleet that ran the release while it did harm.
	Exposed float64 `json:"exposed"`
	// Bad are the requests that the release harmed, out of Asked.
	Bad   float64 `json:"bad"`
	Asked float64 `json:"asked"`
}

// Score sums the ledger up.
func (l Ledger) Score() Score {
	s := Score{Harmed: !l.First.IsZero(), Exposed: Rounded(l.Exposed), Bad: Rounded(l.Bad), Asked: Rounded(l.Asked)}
	if !s.Harmed {
		return s
	}
	if !l.Back.IsZero() {
		d := max(0, l.Back.Sub(l.First)).Round(time.Millisecond)
		s.Detected = &d
	}
	if !l.Still {
		d := l.Over.Sub(l.First)
		if late := l.Back.Sub(l.Over); late > 0 && late < Slot { // harm is told by slots, orders are not
			d += late.Round(time.Millisecond)
		}
		s.Undone = &d
	}
	return s
}

// Rounded is a number with as many digits as somebody reads: six behind the point.
func Rounded(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// Quantile is the smallest value that so large a share of all values does not exceed; 0 of none. The
// median of an even number of values is the mean of the two in the middle.
func Quantile[T ~int64 | ~float64](values []T, share float64) T {
	n := len(values)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	const inexact = 1e-9 // shares are no binary fractions
	i := min(max(int(math.Ceil(share*float64(n)-inexact))-1, 0), n-1)
	if at := sorted[i]; share != 0.5 || n%2 != 0 || at == sorted[i+1] { // of two that are infinite, too
		return at
	}
	return sorted[i] + (sorted[i+1]-sorted[i])/2
}
