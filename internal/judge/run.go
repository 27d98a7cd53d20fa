package judge

import "time"

// look is what is seen at a moment since the change.
type look interface{ when() time.Duration }

func (l Look) when() time.Duration    { return l.At }
func (l Numbers) when() time.Duration { return l.At }

// RunMeans is Run for means: looks at or before zero are from before the change, those
// after the bake are left out. It returns the first FAIL, and else what is so at the end
// of the bake.
func RunMeans(c MeansCriteria, looks []Numbers) Outcome {
	before, since := parted(looks, c.Bake)
	return all(NewMeans(c, before), since, c.Bake)
}

// parted are the looks before and after the change.
func parted[L look](looks []L, bake time.Duration) (before, since []L) {
	for _, l := range looks {
		if at := l.when(); at <= 0 {
			before = append(before, l)
		} else if at <= bake {
			since = append(since, l)
		}
	}
	return before, since
}

// all judges all looks since the change, up to the first FAIL.
func all[L look](j interface {
	See(l L)
	Outcome(at time.Duration) Outcome
}, since []L, bake time.Duration,
) Outcome {
	for _, l := range since {
		j.See(l)
		if out := j.Outcome(l.when()); out.Verdict == Fail {
			return out
		}
	}
	return j.Outcome(bake)
}
