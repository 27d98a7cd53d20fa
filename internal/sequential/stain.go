package sequential

import (
	"math"
	"slices"
)

// Stain is one stretch of looks before a change in which the arms were unlike what they were
// otherwise, and without which they show no bursts.
type Stain struct {
	// From is its first look, To the first after it.
	From, To int
	// Ratio is how many times the usual it was for the exposed arm against the control: below 1 it
	// is the control that was worse.
	Ratio float64
}

// Limits of a stain.
const (
	// stainPart is how large a part of a past one is at most.
	stainPart = 0.4
	// stainLooks is how many looks a past has at least.
	stainLooks = 8
)

// WithoutStain builds the test of a question from a past without its stain, however recent the
// stain and however short the past. It is nil if there is no stain, or if NewTwoArms leaves it out.
// What came once may come again: harm that only this test finds justifies a hold, never a rollback.
func WithoutStain(q Question, before []Pair) (*TwoArms, Stain) {
	before = tidy(before)
	own := !q.Fixed && !q.Unlike
	if len(before) < stainLooks || len(withoutIncident(before, own)) < len(before) {
		return nil, Stain{}
	}
	at, ok := stretch(before, own)
	if !ok {
		return nil, Stain{}
	}
	edge := (at.To-at.From)/4 + 1 // it neither begins nor ends at once
	rest := slices.Concat(before[:max(0, at.From-edge)], before[min(len(before), at.To+edge):])
	if suspicion(rest, own) > 0.5 {
		return nil, Stain{}
	}
	return NewTwoArms(q, rest), at
}

// stretch is where looks were most unlike the usual, which is what those outside of it show: either
// way if either says so.
func stretch(looks []Pair, either bool) (at Stain, ok bool) {
	usual := middle(roughlyEach(coarse(looks, max(1, len(looks)/incidentParts))))
	times := []float64{incidentLeast}
	if either {
		times = append(times, 1./incidentLeast)
	}
	for range 2 {
		if at, ok = unlikeliest(looks, usual, times); !ok {
			return at, false
		}
		usual = RateRatio(slices.Concat(looks[:at.From], looks[at.To:]))
		at.Ratio = RateRatio(looks[at.From:at.To]) / usual
		if max(at.Ratio, 1/at.Ratio) < incidentLeast {
			return at, false
		}
		times = []float64{edgeRatio(at.Ratio)}
	}
	return at, float64(at.To-at.From) <= stainPart*float64(len(looks))
}

// edgeRatio is the ratio by which a stretch ends where looks are more like the usual than like it.
func edgeRatio(ratio float64) float64 {
	if ratio < 1 {
		return 1 / edgeRatio(1/ratio)
	}
	return max(incidentLeast, math.Sqrt(incidentLeast*ratio))
}

// unlikeliest is the stretch that is most likelier at so many times the usual than at it. It
// answers false where chance makes such a one.
func unlikeliest(looks []Pair, usual float64, times []float64) (at Stain, ok bool) {
	best := 2 * math.Log(float64(len(looks))) // there are as many stretches as that
	for _, n := range times {
		sum, from := 0.0, 0
		for i, p := range looks {
			if sum <= 0 {
				sum, from = 0, i
			}
			if p.usable() {
				sum += likelihood(p, n*usual) - likelihood(p, usual)
			}
			if sum > best {
				best, at, ok = sum, Stain{From: from, To: i + 1}, true
			}
		}
	}
	return at, ok
}
