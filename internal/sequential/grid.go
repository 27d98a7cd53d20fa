package sequential

import (
	"math"
	"slices"
)

// Ratios are the alternatives of a Grid, as multiples of the null hypothesis' ratio.
func Ratios() []float64 { return []float64{1.25, 1.5, 2, 3, 5, 10, 30} }

// Equal are n equal weights.
func Equal(n int) []float64 { return slices.Repeat([]float64{1 / float64(n)}, n) }

// Start spreads prior weight over the look at which a fault may begin: First of it on the first
// look, the rest evenly on the others of Looks. The zero value puts all of it on the first.
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

// Grid tests the null hypothesis that the exposed arm's rate of bad events is at most null times
// the control's, against a grid of worse ratios. Given how many bad events a look shows in both
// arms, those of the exposed arm are binomial, whatever the rates do over time; the likelihood
// ratios of that are mixed over the grid and over the look at which a fault begins. It holds for
// independent events (and for less than that: see bets).
type Grid struct {
	null   float64
	ratios []float64
	start  Start
	looks  int
	most   float64
	mixture
}

// NewGrid readies a test against ratios, multiples of null above 1, with weights that sum to 1.
func NewGrid(null float64, ratios, weights []float64, start Start) *Grid {
	return &Grid{null: null, ratios: ratios, start: start, most: math.Inf(1), mixture: newMixture(weights)}
}

// Limit lets no look alone count for more than so many nats: what a single look shows may be an
// error of how it was read. The test still holds, and takes a few looks.
func (g *Grid) Limit(nats float64) { g.most = nats }

// See takes the next look, of one stratum or of several. One that cannot be compared changes
// nothing but the time.
func (g *Grid) See(strata ...Pair) { g.see(strata, 1) }

// see takes a look of which only every so many events count.
func (g *Grid) see(strata []Pair, every float64) {
	g.begin(g.start.at(g.looks))
	g.looks++
	for _, p := range strata {
		if p.usable() {
			g.multiply(p, every)
		}
	}
}

func (g *Grid) multiply(p Pair, every float64) {
	bad, z := p.Exposed.Bad/every, p.bad()/every
	base := g.null*p.Exposed.Total + p.Control.Total
	for j, r := range g.ratios {
		ln := z * math.Log(base/(r*g.null*p.Exposed.Total+p.Control.Total))
		if bad > 0 {
			ln += bad * math.Log(r)
		}
		ln = min(ln, g.most)
		if math.Abs(ln) < near {
			g.acc[j] = g.acc[j].times(math.Exp(ln), 0)
		} else {
			g.acc[j] = g.acc[j].times(1, ln)
		}
	}
}

// near is how much evidence of one look is multiplied in as a number.
const near = 100

// Evidence against the null hypothesis so far, in nats.
func (g *Grid) Evidence() float64 { return g.evidence(g.start.after(g.looks)) }
