package sequential

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Counts are events of one arm in one look: Bad of Total. Counts need not be whole, since sources
// estimate them.
type Counts struct {
	Bad   float64 `json:"bad"`
	Total float64 `json:"total"`
}

// leastCount is what counts are at least where they are not 0, as uncountable is what they are at
// most: ratios and products of them stay numbers.
const leastCount = 1e-9

// tidy takes bad events for none where they are fewer than leastCount: what they divide would be no
// number.
func tidy(pairs []Pair) []Pair {
	out := slices.Clone(pairs)
	for i := range out {
		for _, c := range []*Counts{&out[i].Exposed, &out[i].Control} {
			if c.Bad > 0 && c.Bad < leastCount {
				c.Bad = 0
			}
		}
	}
	return out
}

// sound says that the counts can be: finite, not negative.
func (c Counts) sound() bool {
	return c.Bad >= 0 && c.Bad <= uncountable && (c.Total == 0 || c.Total >= leastCount && c.Total <= uncountable)
}

func (c Counts) plus(d Counts) Counts { return Counts{Bad: c.Bad + d.Bad, Total: c.Total + d.Total} }

// Pair is what both arms showed in one look. Total is each arm's exposure: what its rate of bad
// events is measured by.
type Pair struct {
	Exposed Counts `json:"exposed"`
	Control Counts `json:"control"`
}

// Plus adds two looks up.
func (p Pair) Plus(q Pair) Pair {
	return Pair{Exposed: p.Exposed.plus(q.Exposed), Control: p.Control.plus(q.Control)}
}

// usable says that both arms were there to be compared.
func (p Pair) usable() bool {
	return p.Exposed.sound() && p.Control.sound() && p.Exposed.Total > 0 && p.Control.Total > 0
}

// bad is how many bad events there were in both arms.
func (p Pair) bad() float64 { return p.Exposed.Bad + p.Control.Bad }

// share is the part of the bad events that is expected in the exposed arm, if its rate is ratio
// times the control's.
func (p Pair) share(ratio float64) float64 {
	return ratio * p.Exposed.Total / (ratio*p.Exposed.Total + p.Control.Total)
}

// RateRatio is how many times the control's rate of bad events the exposed arm's is, over looks
// whose shares may differ (the estimator of Mantel and Haenszel, for rates). Half an event is added
// to each arm, so that it is always finite; 1 where nothing was counted.
func RateRatio(looks []Pair) float64 {
	exposed, control, whole := 0.0, 0.0, Pair{}
	for _, p := range looks {
		if !p.usable() {
			continue
		}
		both := p.Exposed.Total + p.Control.Total
		exposed += p.Exposed.Bad * p.Control.Total / both
		control += p.Control.Bad * p.Exposed.Total / both
		whole = whole.Plus(p)
	}
	both := whole.Exposed.Total + whole.Control.Total
	if both == 0 || whole.bad() == 0 {
		return 1
	}
	return (exposed + 0.5*whole.Control.Total/both) / (control + 0.5*whole.Exposed.Total/both)
}

// Likelier is how much likelier, in nats, the split of a sum of looks is at the ratio that it shows
// itself than at a smaller one; 0 where it shows none that is larger.
func Likelier(p Pair, ratio float64) float64 {
	z := p.bad()
	if !p.usable() || z <= 0 {
		return 0
	}
	share, seen := p.share(ratio), p.Exposed.Bad/z
	if seen <= share {
		return 0
	}
	return z * divergence(seen, share)
}

// logSum is ln Σ exp(x).
func logSum(xs ...float64) float64 { return floats.LogSumExp(xs) }
