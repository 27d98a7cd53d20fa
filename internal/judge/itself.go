package judge

import "github.com/sluicehq/sluice/internal/sequential"

// itself turns a comparison with the time before the change into one of two arms: the
// second has the rate that was seen then, as certain as if it were much larger. How
// uncertain that rate is, the looks before the change tell, compared with the same.
type itself struct {
	sequential.Counts // before the change, all looks together
}

// certain is how many times larger than the exposed arm one is taken to be of which
// the rate is known.
const certain = 1000

func newItself(before []Look) itself {
	var i itself
	for _, l := range before {
		if sane(l.Exposed) {
			i.Bad += l.Exposed.Bad
			i.Total += l.Exposed.Total
		}
	}
	return i
}

// known says that there was something before the change to compare with.
func (i itself) known() bool { return i.Total > 0 }

// against is a look with the second arm in the place of the control. Half an event is
// added to what was seen, so that a rate of zero can be compared with, too.
func (i itself) against(l Look) Look {
	if !i.known() {
		l.Control = nil
		return l
	}
	return rated(l, (i.Bad+0.5)/(i.Total+1))
}

// rated is a look with a second arm of which such a share is bad for certain.
func rated(l Look, rate float64) Look {
	l.Control = nil
	if sane(l.Exposed) {
		total := certain * l.Exposed.Total
		l.Control = &sequential.Counts{Bad: rate * total, Total: total}
	}
	return l
}

// all is against for many looks.
func (i itself) all(looks []Look) []Look {
	out := make([]Look, len(looks))
	for n, l := range looks {
		out[n] = i.against(l)
	}
	return out
}
