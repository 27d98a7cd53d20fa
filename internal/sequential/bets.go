package sequential

// stakes are the bets of bets, as shares of the largest that is allowed.
func stakes() []float64 { return []float64{0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7} }

// bets tests what Grid tests, for events that come in bursts. Whatever the bursts inside a look
// are, the exposed arm's part of the look's bad events is its share on average: betting on the part
// is fair under any dispersion (Waudby-Smith and Ramdas, Estimating means of bounded random
// variables by betting, 2024). It costs time where there are no bursts.
//
// Bursts that last several looks make neighbours alike, and a bet on a look after a bad one is no
// longer fair. Then a bet is made only once for every span looks, on what they add up to.
type bets struct {
	null   float64
	stakes []float64
	start  Start
	span   int
	looks  int
	// exposed are the exposed arm's bad events since the last bet, expected is how many of both
	// arms' are its own on average.
	exposed, expected float64
	mixture
}

// newBets readies a test of the null hypothesis that the ratio is at most null, with a bet every
// span looks.
func newBets(null float64, start Start, span int) *bets {
	s := stakes()
	return &bets{null: null, stakes: s, start: start, span: max(1, span), mixture: newMixture(Equal(len(s)))}
}

// See takes the next look, of one stratum or of several.
func (b *bets) See(strata ...Pair) {
	b.begin(b.start.at(b.looks))
	b.looks++
	for _, p := range strata {
		if z := p.bad(); p.usable() && z > 0 {
			b.exposed += p.Exposed.Bad
			b.expected += z * p.share(b.null)
		}
		if b.span == 1 {
			b.bet()
		}
	}
	if b.looks%b.span == 0 {
		b.bet()
	}
}

// bet bets on what was seen since the last one.
func (b *bets) bet() {
	if b.expected > 0 {
		gain := b.exposed/b.expected - 1
		for j, s := range b.stakes {
			b.acc[j] = b.acc[j].times(1+s*gain, 0)
		}
	}
	b.exposed, b.expected = 0, 0
}

// Evidence against the null hypothesis so far, in nats.
func (b *bets) Evidence() float64 { return b.evidence(b.start.after(b.looks)) }
