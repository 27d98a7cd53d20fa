package spec

import (
	"cmp"
	"math"
	"slices"
)

const (
	// maxWeight and minWeight bound what a check says of itself, so that no check leaves the others
	// nothing.
	maxWeight = Number(1000)
	minWeight = Number(0.001)
	// trafficWeight is little: missing traffic shows within a few looks, or not at all.
	trafficWeight = 0.02
)

// Budget is the level of one check in one stage: how likely it is at most that the check takes a
// release back there that is not worse. The rate of the whole rollout is split by weight among the
// checks that have a rate and decide, and evenly over its stages; these parts together are never
// more than FalseRollbackRate, however the checks depend on each other (Bonferroni). An advisory
// check has the part that it would have if it decided, which is taken from nobody. It is 0 for a
// check that has no rate, see Check.Budgeted, or that is not there. Fewer stages than one count as
// one.
func (h Health) Budget(check string, stages int) float64 {
	all, mine := 0.0, 0.0
	if !slices.Contains(h.Without, CheckTraffic) {
		all += trafficWeight
		if check == CheckTraffic {
			mine = trafficWeight
		}
	}
	apart := 0.0
	for _, c := range h.Checks {
		switch {
		case !c.Budgeted():
			continue
		case !c.Advisory:
			all += c.weight()
		case c.Name == check:
			apart = c.weight()
		}
		if c.Name == check {
			mine = c.weight()
		}
	}
	if mine == 0 {
		return 0
	}
	rate := float64(cmp.Or(h.FalseRollbackRate, defaultFalseRollbackRate))
	return rate * mine / (all + apart) / float64(max(1, stages))
}

// weight is 1 unless the spec says otherwise. What Parse would refuse is 1, too.
func (c Check) weight() float64 {
	w := float64(c.Weight)
	if math.IsNaN(w) || w < float64(minWeight) || w > float64(maxWeight) {
		return 1
	}
	return w
}

// MaxSweeps bounds how often late targets are brought in: a fleet in which some always come and go
// must not keep a rollout from its end.
const MaxSweeps = 3

// JudgedStages is how many stages share the rate of false rollbacks, with those that may yet come
// to bring in late targets.
func (s Spec) JudgedStages() int {
	late := s.Fleet.Listed()
	for _, st := range s.Stages {
		late = late || st.Tolerate != nil
	}
	if late {
		return len(s.Stages) + MaxSweeps
	}
	return len(s.Stages)
}
