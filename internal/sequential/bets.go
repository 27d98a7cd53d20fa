package sequential

// stakes are the bets of Bets, as shares of the largest that is allowed.
func stakes() []float64 { return []float64{0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7} }

// Bets tests what Grid tests, for events that come in bursts. Whatever the bursts
// inside a look are, the exposed arm's part of the look's bad events is its share on
// average: betting on the part is fair under any dispersion (Waudby-Smith and Ramdas,
// Estimating means of bounded random variables by betting, 2024). It costs time where
// there are no bursts.
type Bets struct {
	null   float64
	stakes []float64
	start  Start
	looks  int
	mixture
}

// NewBets readies a test of the null hypothesis that the ratio is at most null.
func NewBets(null float64, start Start) *Bets {
	s := stakes()
	return &Bets{null: null, stakes: s, start: start, mixture: newMixture(Equal(len(s)))}
}

// See takes the next look, of one stratum or of several.
func (b *Bets) See(strata ...Pair) {
	b.begin(b.start.at(b.looks))
	b.looks++
	for _, p := range strata {
		z := p.bad()
		if !p.usable() || z <= 0 {
			continue
		}
		gain := p.Exposed.Bad/z/p.share(b.null) - 1
		for j, s := range b.stakes {
			b.acc[j] = b.acc[j].times(1+s*gain, 0)
		}
	}
}

// Evidence against the null hypothesis so far, in nats.
func (b *Bets) Evidence() float64 { return b.evidence(b.start.after(b.looks)) }
