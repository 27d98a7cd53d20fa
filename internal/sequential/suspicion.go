package sequential

import "math"

// suspicion answers how likely it is that events come in bursts of one arm, by the rule of Bayes,
// from looks between which nothing changed: from how events split between the arms, look by look
// and in sums of several, and from how the control's own go up and down, if own says that it is an
// arm of its own. The control shows more events, and so shows earlier whether they come in bursts;
// but it cannot tell those of one arm from what hits both.
func suspicion(looks []Pair, own bool) float64 {
	split, scales := math.Inf(-1), 0.0
	for n := 1; n == 1 || n <= longestBurst && len(looks) >= tellingSums*n; n *= 2 {
		split = logSum(split, Split(coarse(looks, n)).burstier())
		scales++
	}
	split -= math.Log(scales)
	control := 0.0
	if own {
		control = controlDispersion(looks).burstier()
	}
	bursts := math.Log(oneArm) + split + control
	out := math.Exp(bursts - logSum(bursts, math.Log(bothArms)+control, math.Log(1-oneArm-bothArms)))
	if !Split(looks).Known() { // too little was seen to believe less
		return max(oneArm, out)
	}
	return out
}

// What is believed before anything was seen: how often events come in bursts of one arm, or go up
// and down quickly in both together.
const (
	oneArm   = 0.25
	bothArms = 0.25
)

// burstier is how much likelier the dispersion is where events come in bursts than by chance, in
// nats: bursts of sizes that are likely alike. A dispersion is taken to have a gamma distribution,
// of which bursts leave less to go by: there are fewer of them than of events.
func (d Dispersion) burstier() float64 {
	if d.Error == 0 {
		return 0
	}
	// Less than chance is no sign of bursts, however little it is.
	shape, seen := 1/(d.Error*d.Error), max(d.Factor, 1-2*d.Error, 1e-3)
	sizes := []float64{1.5, 2, 4, 8, 16}
	out := make([]float64, len(sizes))
	for i, size := range sizes {
		out[i] = lnGamma(seen, size, shape/size) - lnGamma(seen, 1, shape)
	}
	return logSum(out...) - math.Log(float64(len(out)))
}

// lnGamma is the logarithm of the density of a gamma distribution.
func lnGamma(x, mean, shape float64) float64 {
	g, _ := math.Lgamma(shape)
	return shape*math.Log(shape*x/mean) - shape*x/mean - math.Log(x) - g
}

// controlDispersion is the dispersion of the control's events between neighbouring looks.
func controlDispersion(looks []Pair) Dispersion {
	var v variance
	for i := 1; i < len(looks); i++ {
		a, b := looks[i-1], looks[i]
		if z := a.Control.Bad + b.Control.Bad; a.usable() && b.usable() && z > 0 {
			share := a.Control.Total / (a.Control.Total + b.Control.Total)
			v.add(a.Control.Bad-z*share, z, share, 1)
		}
	}
	d := v.dispersion()
	d.Error *= math.Sqrt(1.5) // pairs overlap
	return d
}
