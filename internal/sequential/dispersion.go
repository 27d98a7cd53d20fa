package sequential

import "math"

// Dispersion is how much more the split of bad events between two arms varies from look to look
// than chance explains: 1 is chance alone, as when events are independent. Bursts that hit both
// arms alike do not raise it; bursts of one do.
type Dispersion struct {
	// Factor is the estimate, and Error its standard error where chance alone is at work. An Error
	// of 0 means that nothing is known.
	Factor, Error float64
}

// Limits of what counts as chance alone.
const (
	// doubtful is how large an Error leaves unknown whether events come in bursts.
	doubtful = 0.6
	// beyond is how many standard errors above 1 are more than chance.
	beyond = 1.645
)

// Known says that enough was seen to tell.
func (d Dispersion) Known() bool { return d.Error > 0 && d.Error <= doubtful }

// Chance says that chance alone is known to explain what was seen.
func (d Dispersion) Chance() bool { return d.Known() && !d.Excess() }

// Excess says that there is more than chance explains.
func (d Dispersion) Excess() bool { return d.Error > 0 && d.Factor > 1+beyond*d.Error }

// High is the most that it may well be, at least 1.
func (d Dispersion) High() float64 { return max(1, d.Factor+beyond*d.Error) }

// variance adds up squared deviations and what chance expects of them.
type variance struct {
	Seen     float64 `json:"seen"`
	Expected float64 `json:"expected"`
	Spread   float64 `json:"spread"`
}

// add takes a squared deviation of a count of z events, of which each is the exposed arm's with
// probability p; fixed is what knowing the sums leaves of the variance.
func (v *variance) add(deviation, z, p, fixed float64) {
	chance := z * p * (1 - p)
	v.Seen += deviation * deviation
	v.Expected += chance * fixed
	v.Spread += chance*max(0, 1-6*p*(1-p)) + 2*chance*chance // of the squared deviation, for a binomial count
}

func (v variance) dispersion() Dispersion {
	if v.Expected <= 0 {
		return Dispersion{Factor: 1}
	}
	return Dispersion{Factor: v.Seen / v.Expected, Error: math.Sqrt(v.Spread) / v.Expected}
}

// Split estimates the dispersion over looks at arms between which nothing changed: Pearson's
// statistic of how the events are split, with the ratio of the rates estimated from the same looks,
// divided by its degrees of freedom.
func Split(looks []Pair) Dispersion {
	ratio, all := RateRatio(looks), 0.0
	for _, p := range looks {
		if p.usable() {
			all += p.bad()
		}
	}
	var v variance
	for _, p := range looks {
		if z := p.bad(); p.usable() && z > 0 && all > 1 {
			share := p.share(ratio)
			v.add(p.Exposed.Bad-z*share, z, share, max(0, all-z)/(all-1))
		}
	}
	return v.dispersion()
}

// coarse adds up every n looks in a row.
func coarse(looks []Pair, n int) []Pair {
	var out []Pair
	for i := 0; i+n <= len(looks); i += n {
		var sum Pair
		for _, p := range looks[i : i+n] {
			if p.usable() {
				sum = sum.Plus(p)
			}
		}
		out = append(out, sum)
	}
	return out
}

// Jitter estimates the dispersion from neighbouring looks only, so that neither a ratio that is not
// 1 nor one change of it on the way looks like bursts. Its zero value has seen nothing. It is small
// and can be kept as JSON.
type Jitter struct {
	Last Pair `json:"last"`
	variance
}

// See takes the next look.
func (j *Jitter) See(p Pair) {
	if !p.usable() {
		return
	}
	last := j.Last
	j.Last = p
	n, m := last.bad(), p.bad()
	z, events := n+m, last.Exposed.Bad+p.Exposed.Bad
	if !last.usable() || z <= 1 || n == 0 || m == 0 {
		return
	}
	// Given both looks' events and how many of them were the exposed arm's, where those fell is a
	// draw without replacement, weighted by the shares.
	weight, other := n*last.share(1), m*p.share(1)
	q, rate := weight/(weight+other), events/z
	j.add(last.Exposed.Bad-events*q, events, q, (1-rate)*z/(z-1))
}

// Dispersion is the estimate so far. Pairs of neighbours overlap, so its error is half as large
// again as for separate looks.
func (j *Jitter) Dispersion() Dispersion {
	d := j.dispersion()
	d.Error *= math.Sqrt(1.5)
	return d
}
