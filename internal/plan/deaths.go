package plan

import (
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/sluicehq/sluice/internal/spec"
)

// aYear is how long a target is taken to live before it dies by itself.
const aYear = 365 * 24 * time.Hour

// Deaths is the chance that a good release is rolled back since more targets die by themselves,
// while they are watched, than the stages tolerate: each dies once a year, independently of the
// others (Poisson). Bakes and the guard count, holds and pauses do not. It is 0 where nobody looks
// whether targets are alive.
func (p Plan) Deaths() float64 {
	if slices.Contains(p.Spec.Health.Without, spec.CheckAlive) {
		return 0
	}
	var mean, worst float64
	tolerated := 0
	for i, s := range p.Spec.Stages {
		tolerated += s.Unreachable(p.Stages[i].Size())
		watched := s.Bake.Std()
		if i == len(p.Spec.Stages)-1 {
			watched += p.Spec.Guard.Std()
		}
		mean += float64(p.AtRisk(i)) * float64(watched) / float64(aYear)
		if mean > 0 {
			worst = max(worst, distuv.Poisson{Lambda: mean}.Survival(float64(tolerated)))
		}
	}
	return worst
}
