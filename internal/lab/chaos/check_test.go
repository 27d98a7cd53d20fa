package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

const newRelease, fenceForth = "2.0.0", int64(100)

func second(n int) time.Time { return time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC) }

func report(v health.Verdict) health.Report {
	return health.Report{Results: []health.Result{{Check: "errors", Verdict: v}}}
}

func took(at int, target, release string, fence int64) sim.Entry {
	return sim.Entry{Time: second(at), Target: target, Release: release, Fence: fence, Accepted: true, Status: 200}
}

// promoted is a rollout over a, then b and c, in which all went well.
func promoted() evidence {
	gate := func(at int) []rollout.Gate {
		return []rollout.Gate{{Decision: rollout.Promote, At: second(at), Report: report(health.Pass)}}
	}
	return evidence{
		trial: trial{scenario: scenario{name: "good", release: newRelease, end: rollout.PhasePromoted}}, release: newRelease, before: "1.0.0",
		cohorts: [][]string{{"a"}, {"b", "c"}},
		orders:  []sim.Entry{took(1, "a", newRelease, fenceForth), took(11, "b", newRelease, fenceForth), took(12, "c", newRelease, fenceForth)},
		final:   []sim.TargetState{{ID: "a", Release: newRelease}, {ID: "b", Release: newRelease}, {ID: "c", Release: newRelease}},
		state: rollout.State{
			Fence: fenceForth, Stage: 1,
			Stages: []rollout.StageState{
				{Name: "canary", Bake: spec.Duration(5 * time.Second), Watched: spec.Duration(5 * time.Second), AppliedAt: second(2), DoneAt: second(10), Gates: gate(10)},
				{Name: "everyone", Bake: spec.Duration(5 * time.Second), Watched: spec.Duration(5 * time.Second), AppliedAt: second(13), DoneAt: second(20), Gates: gate(20)},
			},
			Outcome: &rollout.Outcome{Result: rollout.PhasePromoted, EndedAt: second(20)},
		},
	}
}

// rolledBack is a rollout whose canary was harmful and went back.
func rolledBack() evidence {
	e := promoted()
	e.trial.scenario.end = rollout.PhaseRolledBack
	e.orders = []sim.Entry{took(1, "a", newRelease, fenceForth), took(5, "a", "1.0.0", fenceForth+1)}
	for i := range e.final {
		e.final[i].Release = "1.0.0"
	}
	e.state.Stage = 0
	e.state.Stages = []rollout.StageState{
		{Name: "canary", Gates: []rollout.Gate{{Decision: rollout.RollBack, At: second(4), Report: report(health.Fail)}}},
		{Name: "everyone"},
	}
	e.state.Outcome = &rollout.Outcome{Result: rollout.PhaseRolledBack, EndedAt: second(6), Touched: 1, Reverted: 1}
	return e
}

// restarted is a rollout that was terminated in its last stage and started again, after all that
// the first run had changed was taken back.
func restarted() evidence {
	first, e := promoted(), promoted()
	first.state.Outcome = nil
	first.state.Stages[1].Gates, first.state.Stages[1].DoneAt = nil, time.Time{}
	e.earlier = []rollout.State{first.state}
	const again = fenceForth + 1000
	e.state.Fence = again
	for i := range e.state.Stages {
		s := &e.state.Stages[i]
		s.AppliedAt, s.DoneAt, s.Gates[0].At = s.AppliedAt.Add(30*time.Second), s.DoneAt.Add(30*time.Second), s.Gates[0].At.Add(30*time.Second)
	}
	e.state.Outcome.EndedAt = second(50)
	e.orders = append(first.orders, took(20, "a", "1.0.0", fenceForth+1), took(21, "b", "1.0.0", fenceForth+1), took(21, "c", "1.0.0", fenceForth+1),
		took(31, "a", newRelease, again), took(41, "b", newRelease, again), took(42, "c", newRelease, again))
	e.hits = []hit{{victim: restart, real: bake, at: second(19), up: second(20)}}
	return e
}

// resetOnce is a rollout that was reset in its last stage, to before its canary's gate, and went
// back.
func resetOnce() evidence {
	e := restarted()
	e.orders = e.orders[:6]
	for i := range e.final {
		e.final[i].Release = "1.0.0"
	}
	e.state = rollout.State{
		Fence: fenceForth, Stages: []rollout.StageState{{Name: "canary"}, {Name: "everyone"}},
		Outcome: &rollout.Outcome{
			Result: rollout.PhaseRolledBack, EndedAt: second(25),
			Why: "the workflow was reset, and nobody judges any more what it had changed",
		},
	}
	e.trial.scenario.end = rollout.PhaseRolledBack
	e.hits[0].victim = reset
	return e
}

// What runs before the newest one have done is judged by their own gates, and what they have left
// is back, or named.
func TestCheckEarlierRuns(t *testing.T) {
	for _, tc := range []struct {
		name string
		from func() evidence
		bend func(*evidence)
		want []rule
	}{
		{"started again", restarted, func(*evidence) {}, nil},
		{"reset", resetOnce, func(*evidence) {}, nil},
		{"by an earlier run's gate", restarted, func(e *evidence) { e.orders[7].Time = second(39) }, []rule{ruleOrder, ruleExposure}},
		{"the first run went too far", restarted, func(e *evidence) {
			e.earlier[0].Stages[0].Gates, e.earlier[0].Stage, e.earlier[0].Stages[0].DoneAt = nil, 0, time.Time{}
		}, []rule{ruleOrder, ruleOrder, ruleExposure, ruleExposure}},
		{"the first run passed on harm", restarted, func(e *evidence) {
			e.earlier[0].Stages[0].Gates[0].Report = report(health.Fail)
		}, []rule{ruleVerdict}},
		{"the first run was not watched", restarted, func(e *evidence) { e.earlier[0].Stages[0].Watched = 0 }, []rule{ruleWatched}},
		{"a fence of no run's", restarted, func(e *evidence) {
			for i := range e.orders[3:6] {
				e.orders[3+i].Fence = fenceForth + 500
			}
		}, []rule{ruleFence, ruleFence, ruleFence}},
		{"promoted without gates of its own", restarted, func(e *evidence) {
			e.orders = e.orders[:3]
			e.state.Stages[0].Gates, e.state.Stages[1].Gates = nil, nil
		}, []rule{ruleVerdict, ruleVerdict}},
		{"refused, and what the first run had left is back", restarted, func(e *evidence) {
			e.orders = e.orders[:6]
			refused(e)
		}, nil},
		{"refused, and one is left on it", restarted, func(e *evidence) {
			e.orders = e.orders[:5]
			refused(e)
			e.final[2].Release = newRelease
		}, []rule{ruleEnd}},
		{"reset, and one is left on it", resetOnce, func(e *evidence) {
			e.orders = e.orders[:5]
			e.final[2].Release = newRelease
		}, []rule{ruleEnd}},
		{"locked, and the one that is left is named", resetOnce, func(e *evidence) {
			e.orders = e.orders[:5]
			e.final[2].Release = newRelease
			e.state.Outcome.Result, e.state.Outcome.NotReverted = rollout.PhaseIncomplete, []rollout.TargetTrouble{{ID: "c"}}
		}, nil},
		{"reset, and it went on", resetOnce, func(e *evidence) {
			e.state.Outcome.Result = rollout.PhasePromoted
			for i := range e.final {
				e.final[i].Release = newRelease
			}
			e.orders = e.orders[:3]
		}, []rule{ruleVerdict, ruleSame}},
	} {
		e := tc.from()
		tc.bend(&e)
		broken, _ := check(e)
		var rules []rule
		for _, v := range broken {
			rules = append(rules, v.rule)
		}
		require.Equal(t, tc.want, rules, "%s: %v", tc.name, broken)
	}
}

// refused ends a rollout before it has changed anything.
func refused(e *evidence) {
	for i := range e.final {
		e.final[i].Release = "1.0.0"
	}
	e.state.Stage, e.state.Stages = 0, nil
	e.state.Outcome.Result = rollout.PhaseRefused
}

func TestCheck(t *testing.T) {
	override := &rollout.Control{By: "ann", Why: "urgent"}
	for _, tc := range []struct {
		name string
		from func() evidence
		bend func(*evidence)
		want []rule
	}{
		{"all went well", promoted, func(*evidence) {}, nil},
		{"it went back", rolledBack, func(*evidence) {}, nil},
		{"a refused order is no change", promoted, func(e *evidence) {
			e.orders = append(e.orders, sim.Entry{Time: second(30), Target: "a", Release: "1.0.0", Fence: 1, Status: 409})
		}, nil},
		{"the same order twice", promoted, func(e *evidence) {
			e.orders = append(e.orders, took(13, "c", newRelease, fenceForth))
		}, nil},

		{"before the gate", promoted, func(e *evidence) { e.orders[1].Time = second(9) }, []rule{ruleOrder, ruleExposure}},
		{"sent before the gate, and refused", promoted, func(e *evidence) {
			e.orders = append(e.orders, sim.Entry{Time: second(2), Target: "b", Release: newRelease, Fence: fenceForth, Status: 503})
		}, []rule{ruleOrder}},
		{"the gate decided otherwise", promoted, func(e *evidence) {
			e.state.Stages[0].Gates[0].Decision = rollout.Hold
		}, []rule{ruleOrder, ruleOrder, ruleExposure, ruleExposure, ruleVerdict}},
		{"a target of no stage", promoted, func(e *evidence) {
			e.orders = append(e.orders, took(15, "x", newRelease, fenceForth))
			e.final = append(e.final, sim.TargetState{ID: "x", Release: newRelease})
		}, []rule{ruleOrder, ruleExposure}},

		{"promoted on nothing", promoted, func(e *evidence) {
			e.state.Stages[1].Gates[0].Report = health.Report{}
		}, []rule{ruleVerdict}},
		{"promoted on harm", promoted, func(e *evidence) {
			e.state.Stages[0].Gates[0].Report = report(health.Fail)
			e.state.Stages[0].Gates[0].Override = override
		}, []rule{ruleVerdict}},
		{"promoted by a person", promoted, func(e *evidence) {
			e.state.Stages[0].Gates[0].Report = report(health.NoData)
			e.state.Stages[0].Gates[0].Override = override
		}, nil},
		{"promoted by nobody", promoted, func(e *evidence) {
			e.state.Stages[0].Gates[0].Report = report(health.NoData)
			e.state.Stages[0].Gates[0].Override = &rollout.Control{By: "ann"}
		}, []rule{ruleVerdict}},
		{"left without a gate", promoted, func(e *evidence) { e.state.Stages[1].Gates = nil }, []rule{ruleVerdict}},

		{"promoted too early", promoted, func(e *evidence) { e.state.Stages[1].AppliedAt = second(16) }, []rule{ruleBake, ruleWatched}},
		{"promoted, and too little was watched", promoted, func(e *evidence) { e.state.Stages[1].Watched = spec.Duration(4 * time.Second) }, []rule{ruleWatched}},
		{"promoted, and there was no worker", promoted, func(e *evidence) {
			e.hits = []hit{{victim: frozen, at: second(12), up: second(17)}}
		}, []rule{ruleWatched}},
		{"promoted, and there was a worker for long enough", promoted, func(e *evidence) {
			e.hits = []hit{{victim: worker, at: second(3), up: second(5)}, {victim: server, at: second(13), up: second(20)}}
		}, nil},
		{"promoted early by a person", promoted, func(e *evidence) {
			e.state.Stages[1].AppliedAt = second(16)
			e.state.Stages[1].Gates[0].Override = override
		}, nil},

		{"a late order overwrote", rolledBack, func(e *evidence) {
			e.orders = append(e.orders, took(7, "a", newRelease, fenceForth))
			e.final[0].Release = newRelease
		}, []rule{ruleFence, ruleEnd}},
		{"two releases with one fence", rolledBack, func(e *evidence) {
			e.orders[1].Fence = fenceForth
		}, []rule{ruleFence}},
		{"an order of nobody's", rolledBack, func(e *evidence) {
			e.orders = append(e.orders, took(7, "b", "0.9.0", fenceForth+1))
			e.final[1].Release = "0.9.0"
		}, []rule{ruleFence, ruleEnd}},
		{"not what was ordered", promoted, func(e *evidence) { e.final[2].Release = "1.0.0" }, []rule{ruleFence, ruleEnd}},

		{"one is forgotten", rolledBack, func(e *evidence) {
			e.orders = e.orders[:1]
			e.final[0].Release = newRelease
		}, []rule{ruleEnd}},
		{"one is named, and it says rolled back", rolledBack, func(e *evidence) {
			e.orders = e.orders[:1]
			e.final[0].Release = newRelease
			e.state.Outcome.NotReverted = []rollout.TargetTrouble{{ID: "a"}}
		}, []rule{ruleEnd}},
		{"incomplete, naming nobody", rolledBack, func(e *evidence) {
			e.state.Outcome.Result = rollout.PhaseIncomplete
		}, []rule{ruleEnd, ruleSame}},
		{"refused, and yet changed", rolledBack, func(e *evidence) {
			e.state.Outcome.Result = rollout.PhaseRefused
		}, []rule{ruleEnd, ruleSame}},

		{"stuck", promoted, func(e *evidence) { e.state.Outcome = nil }, []rule{ruleSame}},
		{"another end", rolledBack, func(e *evidence) { e.trial.scenario.end = rollout.PhasePromoted }, []rule{ruleSame}},
		{"promoted, and should not be", promoted, func(e *evidence) {
			e.trial.scenario.end = rollout.PhaseRolledBack
			e.hits = []hit{{victim: fleet, real: bake, at: second(3), up: second(18)}}
		}, []rule{ruleSame}},
		{"aborted, and yet promoted", promoted, func(e *evidence) {
			e.trial.scenario.aborted = true
			e.state.Aborted = &rollout.Control{Signal: rollout.SignalAbort}
		}, []rule{ruleSame}},
		{"aborted, and the storm after it is all that is remembered", rolledBack, func(e *evidence) {
			e.trial.scenario.aborted, e.state.Aborted = true, &rollout.Control{Signal: rollout.SignalAbort}
			e.state.Controls = []rollout.Control{{Signal: rollout.SignalResume, Refused: "not paused"}}
			e.state.Outcome.Result = rollout.PhaseAborted
		}, nil},
		{"reset when it had been aborted", rolledBack, func(e *evidence) {
			e.trial.scenario.aborted, e.state.Outcome.Result = true, rollout.PhaseAborted
			e.earlier = []rollout.State{{Fence: e.state.Fence, Aborted: &rollout.Control{Signal: rollout.SignalAbort}}}
		}, nil},
		{"an abort of an earlier run's", promoted, func(e *evidence) {
			e.trial.scenario.aborted = true
			e.earlier = []rollout.State{{Fence: e.state.Fence - 1000, Aborted: &rollout.Control{Signal: rollout.SignalAbort}}}
		}, nil},
		{"aborted too late", promoted, func(e *evidence) {
			e.trial.scenario.aborted = true
			e.state.Controls = []rollout.Control{{Signal: rollout.SignalAbort, Refused: "too late"}}
		}, nil},
	} {
		e := tc.from()
		tc.bend(&e)
		broken, changed := check(e)
		var rules []rule
		for _, v := range broken {
			rules = append(rules, v.rule)
		}
		require.Equal(t, tc.want, rules, "%s: %v", tc.name, broken)
		require.Empty(t, changed, tc.name)
	}
}

// An end may change only for a fault that lasted, and never to a promotion.
func TestAllowed(t *testing.T) {
	for _, tc := range []struct {
		name string
		hit  hit
		want string
	}{
		{"nothing", hit{}, ""},
		{"a worker, for long", hit{victim: worker, at: second(1), up: second(5)}, ""},
		{"the server, for long", hit{victim: server, at: second(1), up: second(5)}, ""},
		{"the fleet, in short", hit{victim: fleet, at: second(1), up: second(3)}, ""},
		{"the fleet, for long", hit{victim: fleet, real: bake, at: second(1), up: second(4)}, "the targets were away for 3s, in bake"},
		{"the fleet, after the end", hit{victim: fleet, real: ended, at: second(7), up: second(11)}, ""},
		{"the source, not for long enough", hit{victim: source, at: second(1), up: second(20)}, ""},
		{"the source, for long", hit{victim: source, real: hold, at: second(1), up: second(22)}, "the source was away for 21s, in hold"},
		{"the source, while nothing was measured", hit{victim: source, real: plan, at: second(1), up: second(2)}, ""},
	} {
		e := rolledBack()
		e.trial.scenario.end, e.trial.scenario.decideWithin = rollout.PhasePromoted, 20*time.Second
		e.hits = []hit{tc.hit}
		broken, changed := check(e)
		require.Equal(t, tc.want, changed, tc.name)
		require.Equal(t, tc.want == "", len(broken) == 1, tc.name)
	}
}

// What operators do may change an end in its own way only, and never to a promotion.
func TestAllowedActs(t *testing.T) {
	const (
		wasReset = "the workflow was reset, and nobody judges any more"
		clearing = "run 1, which was terminated: what that had changed is rolled back before anything else"
	)
	for _, tc := range []struct {
		victim victim
		got    rollout.Phase
		why    string
		want   bool
	}{
		{hung, rollout.PhaseRolledBack, "", true},
		{hung, rollout.PhaseAborted, "", false},
		{cut, rollout.PhaseRolledBack, "", false},
		{signals, rollout.PhaseAborted, "", false},
		{signals, rollout.PhaseRolledBack, "", false},
		{aborts, rollout.PhaseAborted, "", true},
		{aborts, rollout.PhaseIncomplete, "", true},
		{aborts, rollout.PhaseRolledBack, "", false},
		{aborts, rollout.PhaseUndone, "", false},
		{reset, rollout.PhaseRolledBack, wasReset, true},
		{reset, rollout.PhaseIncomplete, wasReset, true},
		{reset, rollout.PhaseRefused, wasReset, true},
		{reset, rollout.PhaseRolledBack, "errors FAIL", false},
		{reset, rollout.PhaseAborted, wasReset, false},
		{restart, rollout.PhaseRolledBack, clearing, true},
		{restart, rollout.PhaseIncomplete, clearing, true},
		{restart, rollout.PhaseRolledBack, "errors FAIL", false},
	} {
		e := rolledBack()
		e.trial.scenario.end = rollout.PhasePromoted
		e.state.Outcome.Result, e.state.Outcome.Why = tc.got, tc.why
		e.hits = []hit{{victim: tc.victim, real: bake, at: second(1), up: second(4)}}
		require.Equal(t, tc.want, e.allowed() != "", "%s %s %s", tc.victim, tc.got, tc.why)
	}
	e := promoted()
	for _, v := range victims() {
		e.hits = append(e.hits, hit{victim: v, at: second(1), up: second(4)})
	}
	require.Empty(t, e.allowed(), "nothing allows a promotion")
}

// A stage that could not be measured explains a lack of verdicts, if that is what it was.
func TestAllowedWithoutABaseline(t *testing.T) {
	const unknown = "no verdict on canary within 20s: traffic NODATA: traffic before the stage is unknown: no series"
	for _, tc := range []struct {
		why  string
		hit  hit
		want bool
	}{
		{unknown, hit{victim: source, at: second(1), up: second(2)}, true},
		{unknown, hit{victim: fleet, at: second(1), up: second(2)}, false},
		{unknown, hit{victim: source, at: second(4), up: second(5)}, false},
		{"no verdict on canary within 20s: errors STALE", hit{victim: source, at: second(1), up: second(2)}, false},
	} {
		e := rolledBack()
		e.trial.scenario.end = rollout.PhasePromoted
		e.state.Outcome.Why, e.state.Outcome.EndedAt = tc.why, second(30)
		e.timeline = timeline{{second(0), plan}, {second(2), observe}, {second(3), apply}}
		e.hits = []hit{tc.hit}
		_, changed := check(e)
		require.Equal(t, tc.want, changed != "", "%s %v", tc.why, tc.hit)
	}
}
