package judge

import (
	"cmp"
	"time"
)

// look is what is seen at a moment since the change.
type look interface{ when() time.Duration }

func (l ArmCounts) when() time.Duration { return l.At }
func (l Numbers) when() time.Duration   { return l.At }

// Run judges a whole series, in order of time: looks at or before zero are from before the change,
// those after the bake are left out, and those at the same moment are strata. It returns the first
// FAIL; with Criteria.Enough, the first PASS that has shown enough; and else what is so at the end
// of the bake.
func Run(c Criteria, looks []ArmCounts) Outcome {
	before, since := parted(looks, c.Bake)
	// Time in which nobody looked counts as looks without arms.
	j, last := New(c, before), time.Duration(0)
	for len(since) > 0 {
		at, n := since[0].At, 1
		for ; c.Every > 0 && at-last > c.Every*3/2; last += c.Every { // a look that is not there
			j.See()
		}
		last = at
		for n < len(since) && since[n].At == at {
			n++
		}
		j.See(since[:n]...)
		since = since[n:]
		out := j.outcome(at, false)
		if out.Verdict == Fail || out.Verdict == Pass && out.Shown && at >= cmp.Or(c.Least, c.Every) {
			return j.Outcome(at)
		}
	}
	return j.Outcome(c.Bake)
}

// RunMeans is Run for means: looks at or before zero are from before the change, those after the
// bake are left out. It returns the first FAIL, and else what is so at the end of the bake.
func RunMeans(c MeansCriteria, looks []Numbers) Outcome {
	before, since := parted(looks, c.Bake)
	j := NewMeansJudge(c, before)
	for _, l := range since {
		if j.See(l); j.harm() {
			return j.Outcome(l.At)
		}
	}
	return j.Outcome(c.Bake)
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
