package judge

import "github.com/sluicehq/sluice/internal/sequential"

// selfBaseline lets a check without a control compare the exposed arm with its own past. It makes
// up a second arm with the rate from before the change and 1,000 times as many events, so that the
// rate counts as certain. How uncertain it is, the test learns by comparing the looks before the
// change with the same arm.
type selfBaseline struct {
	sequential.Counts // before the change, all looks together
	// daily is how many times as large the rate is since, for the time of day.
	daily float64
}

// certain is how many times larger than the exposed arm one is taken to be of which the rate is
// known.
const certain = 1000

func newSelfBaseline(before []ArmCounts, daily float64) selfBaseline {
	i := selfBaseline{daily: max(1, daily)}
	for _, l := range before {
		if sane(l.Exposed) {
			i.Bad += l.Exposed.Bad
			i.Total += l.Exposed.Total
		}
	}
	return i
}

// against is a look since the change with the second arm in the place of the control.
func (i selfBaseline) against(l ArmCounts) ArmCounts { return i.times(l, i.daily) }

// times is a look with a second arm of so many times the rate before. Half an event is added to
// what was seen, so that a rate of zero can be compared with, too.
func (i selfBaseline) times(l ArmCounts, factor float64) ArmCounts {
	if i.Total <= 0 {
		l.Control = nil
		return l
	}
	return rated(l, min(1, factor*(i.Bad+0.5)/(i.Total+1)))
}

// rated is a look with a second arm of which such a share is bad for certain.
func rated(l ArmCounts, rate float64) ArmCounts {
	l.Control = nil
	if sane(l.Exposed) {
		total := certain * l.Exposed.Total
		l.Control = &sequential.Counts{Bad: rate * total, Total: total}
	}
	return l
}

// all are looks before the change with the second arm.
func (i selfBaseline) all(looks []ArmCounts) []ArmCounts {
	out := make([]ArmCounts, len(looks))
	for n, l := range looks {
		out[n] = i.times(l, 1)
	}
	return out
}
