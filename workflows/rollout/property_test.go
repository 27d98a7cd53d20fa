package rollout

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// Whatever the checks say, whichever targets fail and whoever sends what when, the rules of a
// rollout hold.
func TestRulesHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rapid.IntRange(10, 60).Draw(rt, "targets"))
		verdicts := rapid.SliceOfN(rapid.SampledFrom([]health.Verdict{
			health.Pass, health.Pass, health.Pass, health.Pass, health.Fail, health.NoData, health.Stale, health.Unexercised,
		}), 12, 12).Draw(rt, "verdicts")
		w.health = func(stage int, since time.Duration) health.Verdict {
			return verdicts[(stage*3+min(2, int(since/(25*time.Second))))%len(verdicts)]
		}
		for _, id := range slices.Sorted(maps.Keys(w.releases)) {
			w.releases[id] = rapid.SampledFrom([]string{"1.0.0", "1.0.0", "1.0.0", "0.9.0", "2.0.0"}).Draw(rt, "before")
			w.broken[id] = rapid.IntRange(0, 60).Draw(rt, "broken") == 0
			w.stuck[id] = rapid.IntRange(0, 30).Draw(rt, "stuck") == 0
			w.away[id] = rapid.IntRange(0, 30).Draw(rt, "away") == 0
		}
		w.do(time.Duration(rapid.IntRange(0, 400).Draw(rt, "return"))*time.Second, func() { clear(w.away) })
		w.do(time.Duration(rapid.IntRange(0, 40).Draw(rt, "mended"))*time.Hour, func() { clear(w.stuck) })
		before := maps.Clone(w.releases)
		s := tolerant(float64(rapid.IntRange(0, 20).Draw(rt, "tolerated")))
		s.Apply.Batch = rapid.IntRange(1, 20).Draw(rt, "batch")
		s.Stages[2].Approval = rapid.SampledFrom([]string{"", spec.ApprovalRequired}).Draw(rt, "approval")
		for range rapid.IntRange(0, 4).Draw(rt, "signals") {
			at := time.Duration(rapid.IntRange(0, 400).Draw(rt, "at")) * time.Second
			w.at(at, rapid.SampledFrom(signalNames()).Draw(rt, "signal"), rollout.ControlRequest{
				By: rapid.SampledFrom([]string{"", "ann"}).Draw(rt, "by"), Why: "because", Override: rapid.Bool().Draw(rt, "override"),
			})
		}
		w.at(20*time.Hour, rollout.SignalRetry, nil)
		for range rapid.IntRange(0, 3).Draw(rt, "renewals") {
			w.grow(time.Duration(rapid.IntRange(0, 500).Draw(rt, "grows")) * time.Second)
		}
		// Whatever was left paused or unapproved ends.
		w.at(10*time.Hour, rollout.SignalAbort, nil)
		checkRules(rt, w, s, before, w.run(s))
	})
}

func checkRules(t *rapid.T, w *world, s spec.Spec, before map[string]string, out rollout.State) {
	named := map[string]bool{}
	for _, n := range out.Outcome.NotReverted {
		named[n.ID] = true
	}
	for _, n := range out.Outcome.Unreached {
		named[n.ID] = true
	}
	promoted := out.Outcome.Result == rollout.PhasePromoted
	for id, release := range w.releases {
		right := release == before[id] && (release != s.Release || out.Outcome.Result == rollout.PhaseRefused || out.Outcome.Touched == 0)
		switch { // one that was found on the release goes where the others came from
		case promoted:
			right = release == s.Release
		case before[id] == s.Release:
			right = right || release != s.Release
		}
		if !right && !named[id] {
			t.Fatalf("%s runs %s after %s and is not named", id, release, out.Outcome.Result)
		}
	}
	require.Equal(t, len(out.Outcome.NotReverted) > 0, out.Outcome.Result == rollout.PhaseIncomplete)
	back := 0
	for _, b := range out.Outcome.Back {
		back += b.Targets
		require.GreaterOrEqual(t, w.on(b.Release), b.Targets, b.Release)
	}
	require.Equal(t, out.Outcome.Reverted, back)
	for i, st := range out.Stages {
		for _, g := range st.Gates {
			if g.Decision == rollout.Promote && g.Report.Verdict() != health.Pass {
				require.NotNil(t, g.Override)
				require.NotEmpty(t, g.Override.By)
				require.NotEmpty(t, g.Override.Why)
				require.True(t, g.Report.Verdict() != health.Fail || g.Override.Override)
			}
		}
		if i > 0 {
			noEarlyApply(t, w, out, i, s.Release)
		}
	}
}

// noEarlyApply fails when a target of stage i got the release before the gate of the stage before
// it promoted.
func noEarlyApply(t *rapid.T, w *world, out rollout.State, i int, release string) {
	ids := map[string]bool{}
	if i < len(w.plan.Stages) {
		for _, target := range w.plan.Cohort(i) {
			ids[target.ID] = true
		}
	}
	gates := out.Stages[i-1].Gates
	for _, a := range w.applies {
		if !ids[a.id] || a.release != release {
			continue
		}
		if len(gates) == 0 || gates[len(gates)-1].Decision != rollout.Promote || gates[len(gates)-1].At.After(a.at) {
			t.Fatalf("%s of stage %d got %s at %s without a promotion before it", a.id, i, release, a.at)
		}
	}
}
