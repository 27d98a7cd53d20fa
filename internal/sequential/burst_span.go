package sequential

import "math"

// BurstSpan answers how bad events bunched in looks between which nothing changed: the dispersion,
// and how many looks in a row one bet should cover. That is 1 unless bursts last longer than a
// look: then what a look shows more than its share, the next one shows too. Sums of more and more
// looks are tried; a bet covers spread times as many as the largest of which neighbours still go
// along, so that most bursts fall into one bet.
func BurstSpan(looks []Pair) (d Dispersion, span int) {
	d, span = Split(looks), 1
	for n := 1; n <= longestBurst && len(looks) >= tellingSums*n; n *= 2 {
		need := together
		if span > 1 {
			need = still
		}
		if along(coarse(looks, n)) < need {
			continue
		}
		if wide := Split(coarse(looks, 2*n)); wide.Excess() {
			span = spread * n
			if wide.Factor > d.Factor {
				d = wide
			}
		}
	}
	return d, span
}

// Limits of what counts as bursts that last.
const (
	// longestBurst is how many looks a burst may last; longer ones look like a ratio.
	longestBurst = 32
	// tellingSums sums of looks tell whether neighbours go along.
	tellingSums = 8
	// together is how many standard errors above 0 their correlation must be.
	together = 2.5
	// still is the same once smaller sums have shown it.
	still = 1.0
	// spread is how much longer than a burst a bet is.
	spread = 4
)

// along is the correlation of neighbouring looks, in standard errors of what it is by chance: of
// how many bad events more than its share the exposed arm had.
func along(looks []Pair) float64 {
	ratio := RateRatio(looks)
	product, square, last, n := 0.0, 0.0, 0.0, 0.0
	for _, p := range looks {
		if !p.usable() {
			last = 0
			continue
		}
		more := p.Exposed.Bad - p.bad()*p.share(ratio)
		product += last * more
		square += more * more
		last = more
		n++
	}
	if square == 0 {
		return 0
	}
	return product / square * math.Sqrt(n)
}
