package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Victims that only trains have.
const (
	silent     victim = "silent"   // three targets answer nothing for a while, or too late
	abortOne   victim = "abort"    // a person aborts a rollout
	terminate  victim = "killed"   // a rollout's workflow is terminated, and later taken back
	noTrain    victim = "no train" // the train's workflow is terminated
	resetTrain victim = "t. reset" // the train's workflow, to any of its workflow tasks

	submit victim = "submit" // no fault: the release whose number the step's stage is
)

// guarding is the phase of a rollout that has passed everywhere.
const guarding phase = "guard"

func trainVictims() []victim {
	return []victim{worker, frozen, server, fleet, hung, silent, abortOne, terminate, reset, noTrain, resetTrain}
}

func trainPhases() []phase {
	return []phase{plan, observe, apply, bake, gate, guarding, rollback, verify}
}

// trainTrial is a train of releases, and what happens to it.
type trainTrial struct {
	n        int
	releases []trainRelease
	moves    []step // in their order
}

// trainRelease is one of the releases of a train.
type trainRelease struct {
	fault     string // the suffix of its name; empty for a good one
	sick      int    // the stage whose last target alone has that fault; negative for all targets
	cut, more string // as a scenario has them
}

const twoStages = `  - {name: some, count: 8, bake: %[1]s, decideWithin: %[2]s%[3]s}
  - {name: everyone, reach: 100%%, bake: %[1]s, decideWithin: %[2]s%[3]s}
`

// newTrainTrial is the n-th of a seed: two to five releases, each submitted while those before are
// under way, once or twice at the same time, with faults in between. It is pure.
func newTrainTrial(seed uint64, n int) trainTrial {
	rng := rand.New(rand.NewPCG(seed, 3<<32|uint64(n)))
	t := trainTrial{n: n}
	slow := []victim{terminate, noTrain} // a train takes a minute to notice it: one in a trial, at most
	releases := 2 + rng.IntN(4)
	for i := range releases {
		t.releases = append(t.releases, newTrainRelease(rng))
		once := somewhere(rng, plan, i, submit)
		once.after = time.Duration(rng.IntN(3000)) * time.Millisecond
		if rng.IntN(4) == 0 {
			once.kill = append(once.kill, submit)
		}
		t.moves = append(t.moves, once)
		for range 1 + rng.IntN(2+(i+1)/releases) { // more after the last
			t.moves = append(t.moves, faultOf(rng, &slow))
		}
	}
	return t
}

func newTrainRelease(rng *rand.Rand) trainRelease {
	faults := []string{"", "", "", "", "", "-flaky", "-errors", "-errors-after4s", "-crash", "-crash", "-refuse"}
	r := trainRelease{fault: faults[rng.IntN(len(faults))], sick: -1, more: "train: {}\n"}
	if r.fault == "-crash" || r.fault == "-refuse" {
		r.sick = rng.IntN(3)
	}
	if rng.IntN(4) == 0 {
		r.cut = twoStages
	}
	if rng.IntN(4) == 0 {
		r.more = "train: {every: true}\n"
	}
	if rng.IntN(4) == 0 {
		r.more += "guard: 5s\n"
	}
	return r
}

// faultOf is a random fault at a random instant of a phase, of any rollout: mostly processes are
// killed, some of them two at once.
func faultOf(rng *rand.Rand, slow *[]victim) step {
	all := append([]victim{frozen, hung, silent, abortOne, reset, resetTrain}, *slow...)
	if rng.IntN(5) > 1 {
		all = []victim{worker, server, worker, server, worker, server, fleet}
	}
	aims := append(trainPhases(), apply, bake, rollback, rollback)
	s := somewhere(rng, aims[rng.IntN(len(aims))], 0, all[rng.IntN(len(all))])
	switch {
	case slices.Contains(*slow, s.kill[0]):
		*slow = nil
	case s.kill[0] == server && rng.IntN(4) == 0:
		s.kill = append(s.kill, worker)
	}
	return s
}

// name is the release's name as the i-th of its train, in a fleet of these ids.
func (r trainRelease) name(i int, cohorts [][]string, ids []string) string {
	name := fmt.Sprintf("2.%d.0%s", i, r.fault)
	if r.sick >= 0 {
		name += fmt.Sprintf("-only%d", slices.Index(ids, r.harms(cohorts)[0]))
	}
	return name
}

// harms are the targets on which the release does harm at once.
func (r trainRelease) harms(cohorts [][]string) []string {
	switch {
	case r.sick >= 0 && len(cohorts) > 0: // a rollout that has never begun has none
		c := cohorts[min(r.sick, len(cohorts)-1)]
		return c[len(c)-1:]
	case r.fault == "-errors":
		return slices.Concat(cohorts...)
	}
	return nil
}

// good says that nothing is wrong with it.
func (r trainRelease) good() bool { return r.fault == "" || r.fault == "-flaky" }
