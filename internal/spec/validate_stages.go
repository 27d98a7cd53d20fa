package spec

import (
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// maxStages and maxChecks bound what a rollout shows and does per look; both are far more than
// anyone can watch.
const (
	maxStages = 100
	maxChecks = 100
)

func (v *validator) stages() {
	stages := v.spec.Stages
	switch {
	case len(stages) == 0:
		v.Bad("stages", "is empty, expected at least one stage, the last with reach: 100%%")
		return
	case len(stages) > maxStages:
		v.Bad("stages", "has %d stages, expected at most %d", len(stages), maxStages)
		return
	}
	names := map[string]string{}
	for i := range stages {
		path := strictyaml.Index("stages", i)
		v.name(path, stages[i].Name, "stage", names)
		if stages[i].Name == StageSweep {
			v.Bad(path+".name", "%q is the name of the stage that brings in late targets, expected another", StageSweep)
		}
		v.cohort(path, stages[i], i == len(stages)-1)
		v.bake(path, stages[i])
		if v.Has(path+".approval") && stages[i].Approval != ApprovalRequired {
			v.Bad(path+".approval", "is %s, expected %s, or no approval at all", strictyaml.Quote(stages[i].Approval), ApprovalRequired)
		}
		v.Positive(path+".approveWithin", stages[i].ApproveWithin)
		if !v.Given(path + ".approval") {
			v.In(path).Foreign("a stage without approval", "approveWithin")
		}
		v.Positive(path+".decideWithin", stages[i].DecideWithin)
		v.canPass(path, stages[i])
		v.OneOf(path+".undecided", stages[i].Undecided, UndecidedRollback, UndecidedWait)
		if stages[i].Tolerate != nil && !v.Given(path+".tolerate.unreachable") {
			v.Bad(path+".tolerate", "tolerates nothing, expected unreachable: with a share such as 2%%, or a count")
		}
	}
	v.rising()
	v.reachesAll()
}

// name checks the name of a stage or a check, and that it is the only one.
func (v *validator) name(path, name, kind string, seen map[string]string) {
	path += ".name"
	if !v.Needs(path) || v.IsBad(path) {
		return
	}
	if !nameForm.MatchString(name) {
		v.Bad(path,
			"%s is not a name, expected 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or a digit", strictyaml.Quote(name))
		return
	}
	if first, ok := seen[name]; ok {
		v.Bad(path, "%s is the name of the %s at %s too, expected every name once", strictyaml.Quote(name), kind, v.At(first))
		return
	}
	seen[name] = path
}

// cohort checks what a stage exposes. Of the last one it is said elsewhere what it must reach.
func (v *validator) cohort(path string, s Stage, last bool) {
	if v.In(path).AtMostOne("count", "reach") == "" && !v.Given(path+".where") && !last {
		v.Bad(path, "has no cohort, expected count, reach or where")
	}
	if s.Count != nil && *s.Count < 1 && (!last || v.Given(path+".reach")) { // else it is told that it leaves targets out
		v.Bad(path+".count", "is %d, expected at least 1: a stage without targets shows nothing", *s.Count)
	}
	if v.Has(path+".where") && len(s.Where) == 0 {
		v.Bad(path+".where", "is empty, expected labels with their values, such as {tier: internal}")
	}
	for label := range s.Where {
		v.label(strictyaml.Field(path+".where", label), label)
	}
	v.label(path+".spread", s.Spread)
}

// rising checks that reaches grow. A percentage and a count can be compared only with the fleet at
// hand, which is when the plan is made.
func (v *validator) rising() {
	percent, targets := -1, -1
	for i, s := range v.spec.Stages {
		if s.Reach == nil || *s.Reach == (Reach{}) {
			continue
		}
		before := &percent
		if s.Reach.Targets > 0 {
			before = &targets
		}
		if *before >= 0 {
			if was := v.spec.Stages[*before].Reach; s.Reach.Percent <= was.Percent && s.Reach.Targets <= was.Targets {
				v.Bad(strictyaml.Index("stages", i)+".reach",
					"is %s, expected more than the %s of the stage before it at %s: a reach counts everything exposed so far",
					s.Reach, was, v.At(strictyaml.Index("stages", *before)+".reach"))
			}
		}
		*before = i
	}
}

// reachesAll checks that the last stage ends the rollout.
func (v *validator) reachesAll() {
	last := len(v.spec.Stages) - 1
	path, s := strictyaml.Index("stages", last), v.spec.Stages[last]
	switch {
	case v.IsBad(path + ".reach"):
	case s.Reach == nil || s.Reach.Percent != 100:
		v.Bad(path+".reach", "the last stage leaves targets out, expected reach: 100%%")
	case len(s.Where) > 0:
		v.Bad(path+".where", "limits the last stage, which reaches the whole fleet, expected none")
	}
}
