package sequential

import (
	"math"
	"slices"
)

// Limits of what is an incident of the past, and no habit of the arms.
const (
	// incidentParts is into how many parts a past is cut, and incidentMost how many of them in a
	// row one incident lasts, at most.
	incidentParts = 24
	incidentMost  = 6
	// incidentOver is for how many parts it is over: what lasts to the change may go on after it.
	incidentOver = 3
	// incidentLeast is how many times the usual its worst part is, either way: less hides little.
	incidentLeast = 4
	// unlike is how many standard errors a part is from the others.
	unlike = 4
)

// IncidentLooks is how many looks a past has, at least, in which what comes often comes more than
// once: in a shorter one no incident is left out.
const IncidentLooks = 320

// withoutIncident leaves out of a long past the one stretch in which the arms were unlike what they
// were otherwise, with what is next to it. What comes often shows in several places, and stays: it
// is what chance does, and so it does where the rest shows bursts. What a past shows once might as
// well have come before or after it.
func withoutIncident(looks []Pair, own bool) []Pair {
	if len(looks) < IncidentLooks {
		return looks
	}
	size := len(looks) / incidentParts
	parts := coarse(looks, size)
	ratios := roughlyEach(parts)
	usual := middle(ratios)
	first, last := -1, -1
	for i, p := range parts {
		within := Split(looks[i*size : (i+1)*size])
		if z := p.bad(); within.Factor > 1+unlike*within.Error || z > 0 && p.usable() && offBy(p, z, usual) > unlike {
			if last = i; first < 0 {
				first = i
			}
		}
	}
	if first < 0 || last-first >= incidentMost || last >= len(parts)-incidentOver {
		return looks
	}
	var worst float64 // in times of the usual, either way
	for _, r := range ratios[first : last+1] {
		worst = max(worst, r/usual, usual/r)
	}
	if worst < incidentLeast {
		return looks
	}
	from, to := max(0, first-1)*size, (last+2)*size
	rest := slices.Concat(looks[:from], looks[to:])
	if suspicion(rest, own) > 0.5 {
		return looks
	}
	return rest
}

func roughlyEach(parts []Pair) []float64 {
	out := make([]float64, 0, len(parts))
	for _, p := range parts {
		out = append(out, roughly(p))
	}
	return out
}

// middle is the median.
func middle(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }

// roughly is the ratio of the arms' rates, also where one showed nothing bad.
func roughly(p Pair) float64 {
	return (p.Exposed.Bad + 0.5) / (p.Exposed.Total + 1) * (p.Control.Total + 1) / (p.Control.Bad + 0.5)
}

// offBy is how many standard errors the exposed arm's part of bad events is from its share.
func offBy(p Pair, bad, ratio float64) float64 {
	share := p.share(ratio)
	return math.Abs(p.Exposed.Bad-bad*share) / math.Sqrt(bad*share*(1-share)+0.25)
}
