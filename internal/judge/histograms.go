package judge

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// Histograms are what both arms' histograms counted since the look before it. A nil arm
// was not seen. Bounds are seconds.
type Histograms struct {
	// At is when the look ends, since the change; before it, zero or negative.
	At               time.Duration
	Exposed, Control *sequential.Histogram
}

// shares are the parts of values within each bound, and how many values there were.
type shares struct {
	within []float64
	total  float64
}

// fewestValues is less than which is none: sources estimate.
const fewestValues = 1e-9

// sharesOf is what a histogram shows; nothing, with the same bounds, where it has no
// values. It is not ok for one that cannot be.
func sharesOf(h *sequential.Histogram) (s shares, ok bool) {
	if h == nil {
		return s, false
	}
	s.within = make([]float64, len(h.Bounds))
	if h.Total >= 0 && h.Total < fewestValues {
		one := sequential.Histogram{Bounds: h.Bounds, Counts: make([]float64, len(h.Counts)), Total: 1}
		return s, one.Check() == nil
	}
	if h.Check() != nil {
		return s, false
	}
	for i, n := range h.Counts {
		s.within[i] = min(1, max(0, n/h.Total))
	}
	s.total = h.Total
	return s, true
}

// pooled adds looks up, each with the weight that two arms of its sizes have when they
// are compared (of Mantel and Haenszel): what both arms show together goes up and down,
// and the proportion of their sizes may change, too.
type pooled struct {
	// Weight is the sum of weights, Within are the weighted shares of each arm, and
	// Square tells how many values that is worth.
	Weight float64              `json:"weight,omitempty"`
	Within [2]sequential.Packed `json:"within,omitzero"`
	Square [2]float64           `json:"square,omitzero"`
}

// add returns the sum with one look more.
func (p pooled) add(arms [2]shares) pooled {
	w := weight(arms)
	if w <= 0 {
		return p
	}
	p.Weight += w
	for arm, s := range arms {
		within := slices.Clone(p.Within[arm])
		if within == nil {
			within = make(sequential.Packed, len(s.within))
		}
		for i, v := range s.within {
			within[i] += w * v
		}
		p.Within[arm] = within
		p.Square[arm] += w / s.total * w
	}
	return p
}

// weight is that of a look. The second arm may be known for certain, of infinite size.
func weight(arms [2]shares) float64 {
	a, b := arms[exposed].total, arms[control].total
	switch {
	case a <= 0 || b <= 0:
		return 0
	case math.IsInf(b, 1):
		return a
	}
	return a / (a + b) * b
}

// size is how many values an arm is worth.
func (p pooled) size(arm int) float64 {
	if p.Square[arm] <= 0 {
		return math.Inf(1)
	}
	return p.Weight / p.Square[arm] * p.Weight
}

// share is an arm's part within a bound.
func (p pooled) share(arm, bound int) float64 { return min(1, p.Within[arm][bound]/p.Weight) }

// gap is by how much less of the exposed arm's values are within a bound.
func (p pooled) gap(bound int) float64 { return p.share(control, bound) - p.share(exposed, bound) }

// noise is the standard error of the gap, if values are independent.
func (p pooled) noise(bound int) float64 {
	both := (p.share(exposed, bound) + p.share(control, bound)) / 2
	return math.Sqrt(both * (1 - both) * (1/p.size(exposed) + 1/p.size(control)))
}

// tellingLooks tell whether values come in bursts.
const tellingLooks = 16

// scatter is by how many times more than chance the gaps of looks between which nothing
// changed differ, at the bound where that is most, also in sums of several looks; 1
// where chance explains it. It is not ok where there are too few looks to tell.
func scatter(looks [][2]shares) (factor float64, ok bool) {
	if len(looks) < tellingLooks {
		return 1, false
	}
	factor = 1
	for n := 1; len(looks)/n >= tellingLooks/2; n *= 2 {
		var sums []pooled
		whole := pooled{}
		for i := 0; i+n <= len(looks); i += n {
			sum := pooled{}
			for _, l := range looks[i : i+n] {
				sum, whole = sum.add(l), whole.add(l)
			}
			sums = append(sums, sum)
		}
		if whole.Weight <= 0 {
			return 1, false
		}
		for bound := range looks[0][exposed].within {
			factor = max(factor, scattered(sums, whole, bound))
		}
	}
	return factor, true
}

// rareValues are fewer in a sum of looks than tell how sums differ.
const rareValues = 1

// scattered is how large the scatter at a bound may well be, or 1.
func scattered(sums []pooled, whole pooled, bound int) float64 {
	seen, expected, spread, n, sizes := 0.0, 0.0, 0.0, 0.0, 0.0
	both := (whole.share(exposed, bound) + whole.share(control, bound)) / 2
	chance := both * (1 - both)
	for _, s := range sums {
		if s.Weight <= 0 {
			continue
		}
		w := 1 / (1/s.size(exposed) + 1/s.size(control))
		off := s.gap(bound) - whole.gap(bound)
		seen += w * off * off
		expected += chance
		spread += 2*chance*chance + chance*max(0, 1-6*chance)/w
		sizes += w
		n++
	}
	if n < 2 || chance*sizes < rareValues*n { // what a few rare values show is chance
		return 1
	}
	return excess(seen*n/(n-1)/expected, math.Sqrt(spread)/expected)
}

// excess is how large a factor with a standard error may well be, if it is above 1
// beyond doubt; the largest of many is looked for, so there has to be much more.
func excess(factor, err float64) float64 {
	if factor > 1+3*err {
		return factor + 1.645*err
	}
	return 1
}

// bound words a bound of so many seconds.
func bound(seconds float64) string {
	if math.Abs(seconds) > 1e6 || seconds != 0 && math.Abs(seconds) < 1e-9 {
		return humanize.Plain(seconds) + "s"
	}
	return time.Duration(math.Round(seconds * 1e9)).String()
}

// bounds words some bounds: those that another does not have.
func bounds(of, other []float64) string {
	const most = 10
	var own []string
	for _, b := range of {
		if !slices.Contains(other, b) {
			own = append(own, bound(b))
		}
	}
	if len(own) == 0 {
		return fmt.Sprintf("%d, none of its own", len(of))
	}
	if len(own) > most {
		own = append(own[:most], "…")
	}
	return fmt.Sprintf("%d, of its own %s", len(of), strings.Join(own, " "))
}
