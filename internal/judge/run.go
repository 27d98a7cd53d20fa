package judge

import "time"

// RunMeans is Run for means: looks at or before zero are from before the change, those
// after the bake are left out. It returns the first FAIL, and else what is so at the end
// of the bake.
func RunMeans(c MeansCriteria, looks []Numbers) Outcome {
	at := func(l Numbers) time.Duration { return l.At }
	before, since := parted(looks, c.Bake, at)
	return all(NewMeans(c, before), since, c.Bake, at)
}

// RunDistribution is RunMeans for histograms.
func RunDistribution(c Criteria, looks []Histograms) Outcome {
	at := func(l Histograms) time.Duration { return l.At }
	before, since := parted(looks, c.Bake, at)
	return all(NewDistribution(c, before), since, c.Bake, at)
}

// parted are the looks before and after the change.
func parted[L any](looks []L, bake time.Duration, at func(L) time.Duration) (before, since []L) {
	for _, l := range looks {
		if t := at(l); t <= 0 {
			before = append(before, l)
		} else if t <= bake {
			since = append(since, l)
		}
	}
	return before, since
}

// all judges all looks since the change.
func all[L any](j interface {
	See(l L)
	Outcome(at time.Duration) Outcome
}, since []L, bake time.Duration, at func(L) time.Duration,
) Outcome {
	for _, l := range since {
		j.See(l)
		if out := j.Outcome(at(l)); out.Verdict == Fail {
			return out
		}
	}
	return j.Outcome(bake)
}
