package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// overlapping is a train of two over a, then b: the second begins while the first bakes further on,
// does harm on a, and goes back in one hop to the first, which is promoted.
func overlapping() trainEvidence {
	end := func(release string, result rollout.Phase) rollout.State {
		return rollout.State{Release: release, Outcome: &rollout.Outcome{Result: result}}
	}
	cut := [][]string{{"a"}, {"b"}}
	return trainEvidence{
		rollouts: []ran{
			{trainRelease: trainRelease{sick: -1}, cohorts: cut, fences: []int64{101}, state: end("2.0.0", rollout.PhasePromoted), said: "promoted"},
			{trainRelease: trainRelease{fault: "-crash"}, cohorts: cut, fences: []int64{102}, state: end("2.1.0", rollout.PhaseRolledBack), said: "rolled-back"},
		},
		orders: []sim.Entry{took(1, "a", "2.0.0", 101), took(4, "b", "2.0.0", 101), took(5, "a", "2.1.0", 102), took(8, "a", "2.0.0", 199)},
		final:  []sim.TargetState{{ID: "a", Release: "2.0.0"}, {ID: "b", Release: "2.0.0"}},
	}
}

// Each rule is broken, and that is found.
func TestCheckTrain(t *testing.T) {
	require.Empty(t, checkTrain(overlapping()))
	insert := func(e *trainEvidence, at int, o sim.Entry) { e.orders = slices.Insert(e.orders, at, o) }
	for name, c := range map[string]struct {
		want  rule
		spoil func(*trainEvidence)
	}{
		"the older one comes again where the younger one is": {ruleFence, func(e *trainEvidence) { insert(e, 3, took(6, "a", "2.0.0", 101)) }},
		"the younger one comes again once it was taken back": {ruleFence, func(e *trainEvidence) { insert(e, 4, took(9, "a", "2.1.0", 102)) }},
		"two have one fence":               {ruleFence, func(e *trainEvidence) { e.rollouts[1].fences[0], e.orders[2].Fence = 101, 101 }},
		"another release than the fence's": {ruleFence, func(e *trainEvidence) { e.orders[2].Release = "2.0.0" }},
		"the younger one comes too early":  {rulePlace, func(e *trainEvidence) { e.orders[0].Time = second(4); e.orders[1].Time = second(7) }},
		"the younger one is ahead": {rulePlace, func(e *trainEvidence) {
			e.orders[0], e.orders[1] = took(4, "c", "2.0.0", 101), took(6, "b", "2.0.0", 101)
		}},
		"a stage before the one before": {ruleOrder, func(e *trainEvidence) { e.orders[1].Time = second(2) }},
		"a condemned one goes on": {ruleHop, func(e *trainEvidence) {
			insert(e, 4, took(30, "b", "2.1.0", 102))
			insert(e, 5, took(31, "b", "2.0.0", 199))
		}},
		"back to what was condemned": {ruleHop, func(e *trainEvidence) {
			insert(e, 4, took(10, "a", "2.1.0", 200))
			insert(e, 5, took(11, "a", "2.0.0", 201))
		}},
		"back to what was never there": {ruleEnd, func(e *trainEvidence) {
			insert(e, 4, took(10, "b", "2.1.0", 200))
			insert(e, 5, took(11, "b", "2.0.0", 201))
		}},
		"a target is left on what went back": {ruleEnd, func(e *trainEvidence) { e.orders = e.orders[:3]; e.final[0].Release = "2.1.0" }},
		"a target was put back too far":      {ruleEnd, func(e *trainEvidence) { e.orders[3].Release = firstRelease; e.final[0].Release = firstRelease }},
		"harm is promoted":                   {ruleVerdict, func(e *trainEvidence) { e.rollouts[0].fault, e.rollouts[0].sick = "-crash", 0 }},
		"a good one goes back":               {ruleSame, func(e *trainEvidence) { e.rollouts[1].fault = "" }},
		"nobody has aborted it": {ruleSame, func(e *trainEvidence) {
			e.rollouts[1].state.Outcome.Result = rollout.PhaseAborted
			e.rollouts[1].said = "aborted"
		}},
		"withdrawn with nobody": {ruleSame, func(e *trainEvidence) {
			e.rollouts[1].state.Outcome.Result = rollout.PhaseWithdrawn
			e.rollouts[1].said = "withdrawn"
		}},
		"the train does not know of an end":     {ruleLost, func(e *trainEvidence) { e.rollouts[1].said = "" }},
		"the train takes it for something else": {ruleLost, func(e *trainEvidence) { e.rollouts[0].said = "superseded" }},
		"one does not end":                      {ruleLost, func(e *trainEvidence) { e.stuck = true }},
	} {
		e := overlapping()
		c.spoil(&e)
		broken := checkTrain(e)
		require.True(t, slices.ContainsFunc(broken, func(v violation) bool { return v.rule == c.want }), "%s: %v", name, broken)
	}
}

// What explains an end, and a target that an outcome names.
func TestCheckTrainAllows(t *testing.T) {
	e := overlapping()
	e.rollouts[1].fault = ""
	e.hits = []hit{{victim: silent, at: second(1), up: second(5)}}
	require.Empty(t, checkTrain(e))
	e = overlapping()
	e.rollouts = append(e.rollouts, ran{said: "withdrawn"}) // it has never begun
	require.Empty(t, checkTrain(e))
	e = overlapping()
	e.final[0].Release = "2.1.0"
	e.rollouts[1].state.Outcome.NotReverted = []rollout.TargetTrouble{{ID: "a"}}
	require.Empty(t, checkTrain(e))
}

// The same seed gives the same trains, whose specifications Sluice accepts; every victim comes, and
// the most are killed.
func TestTrainTrials(t *testing.T) {
	came := map[victim]int{}
	for n := range 200 {
		one := newTrainTrial(7, n)
		require.Equal(t, one, newTrainTrial(7, n))
		require.NotEqual(t, one.moves, newTrainTrial(8, n).moves)
		require.GreaterOrEqual(t, len(one.releases), 2)
		for _, m := range one.moves {
			for _, v := range m.kill {
				came[v]++
			}
		}
		cut := [][]string{{"a"}, {"b", "c"}}
		for i, r := range one.releases {
			name := r.name(i, cut, []string{"a", "b", "c"})
			text := scenario{release: name, cut: r.cut, more: r.more}.spec("train-0001", "")
			_, err := spec.Parse("spec.yaml", []byte(text), catalog.New().Kinds())
			require.NoError(t, err)
		}
	}
	for _, v := range trainVictims() {
		require.NotZero(t, came[v], v)
	}
	require.Greater(t, came[worker]+came[server]+came[fleet], came[silent]+came[frozen]+came[hung]+came[reset]+came[resetTrain])
}
