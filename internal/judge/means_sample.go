package judge

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/combin"

	"github.com/sluicehq/sluice/internal/sequential"
)

// sample are both arms' observations, one for each target: what it shows now and what it would show
// if nothing had changed.
type sample struct {
	now, before [2][]float64
	single      bool // there is no second arm
	// growth is by how much the control has become larger, where that is known.
	growth, scale float64
	mean, usual   float64
	targets       [2]int
}

// sample is what to test of averages.
func (j *MeansJudge) sample(packed [2]sequential.Packed) sample {
	s := sample{single: j.criteria.Before, growth: 1, scale: 1}
	for arm := range packed {
		for i, t := range unpacked(packed[arm]) {
			then := j.before[arm].at(i)
			if t.n == 0 || j.paired && then.n == 0 {
				continue
			}
			s.now[arm] = append(s.now[arm], t.mean)
			s.before[arm] = append(s.before[arm], then.mean)
		}
		s.targets[arm] = len(s.now[arm])
	}
	s.mean = summarize(s.now[exposed]).Mean
	was, other, wasOther := summarize(s.before[exposed]).Mean, summarize(s.now[control]).Mean, summarize(s.before[control]).Mean
	switch {
	case s.single:
		s.usual = was
	case !j.paired:
		s.usual = other
	case j.before[exposed].sized() && j.before[control].sized() && moderate(other/wasOther) && moderate(was/wasOther):
		// Numbers above zero go up and down by a factor as a rule.
		s.growth, s.scale = other/wasOther, was/wasOther
		s.usual = was * s.growth
	default:
		s.usual = was + other - wasOther
	}
	return s
}

// moderate says that a factor can be reckoned with.
func moderate(factor float64) bool { return factor > 1e-6 && factor < 1e6 }

// allowed is the factor of what is usual that the mean may reach.
func (s sample) allowed(part float64, above bool) float64 {
	if above == (s.usual >= 0) {
		return 1 + part
	}
	return 1 - part
}

// chance is how likely it is, in one test, that the mean is as far below (or above) factor times
// the usual by chance as it is.
func (s sample) chance(factor float64, above bool) float64 {
	a, b := make([]float64, len(s.now[exposed])), make([]float64, len(s.now[control]))
	sign := -1.0
	if above {
		sign = 1
	}
	for i, x := range s.now[exposed] {
		a[i] = sign * (x - factor*s.growth*s.before[exposed][i])
	}
	for i, x := range s.now[control] {
		b[i] = sign * s.scale * factor * (x - s.growth*s.before[control][i])
	}
	// Less than this is rounding.
	slip := 1e-9 * max(math.Abs(s.mean), math.Abs(s.usual))
	ma, mb := summarize(a), summarize(b)
	switch {
	case s.single && ma.Mean > slip:
		return max(sequential.AboveZero(ma), sequential.RankedAboveZero(a))
	case !s.single && ma.Mean-mb.Mean > slip:
		return max(sequential.Above(ma, mb), sequential.RankedAbove(a, b))
	}
	return 1
}

// Missing says how many targets it takes to tell harm from chance, where there are fewer in the
// arms; of one arm, control is 0. It is empty where there are enough.
func (c MeansCriteria) Missing(exposed, control int) string {
	return NewMeansJudge(c, nil).missing([2]int{min(exposed, MostTargets), min(control, MostTargets)})
}

// missing says how many targets are needed to tell harm from chance, where there are fewer: for the
// ranks to show it, and two of each arm at least. It is empty where there are enough.
func (j *MeansJudge) missing(targets [2]int) string {
	level := j.criteria.Alpha / j.tests()
	enough := func(n, m int) bool {
		if j.criteria.Before {
			return n >= 2 && -float64(n)*math.Ln2 <= math.Log(level)
		}
		return n >= 2 && m >= 2 && -combin.LogGeneralizedBinomial(float64(n+m), float64(n)) <= math.Log(level)
	}
	n, m := targets[exposed], targets[control]
	if enough(n, m) {
		return ""
	}
	for more := n; more <= MostTargets; more++ {
		if enough(more, m) {
			return fmt.Sprintf("%s%s: at least %d exposed ones are needed to tell harm from chance", plural(n, "exposed target"), j.with(m), more)
		}
	}
	both := 2
	for ; both < MostTargets && !enough(both, both); both++ {
	}
	return fmt.Sprintf("%s%s: at least %d of each are needed to tell harm from chance", plural(n, "exposed target"), j.with(m), both)
}

func (j *MeansJudge) with(m int) string {
	if j.criteria.Before {
		return ""
	}
	return fmt.Sprintf(" and %d of control", m)
}
