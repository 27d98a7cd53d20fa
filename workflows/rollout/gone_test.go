package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// shrinking is a listed fleet of 20 from which targets go away at a time after the start, for good.
// Listed says whether the listing still has them.
func (w *world) shrinking(at time.Duration, listed bool, ids ...string) spec.Spec {
	away := fleet.Set(ids)
	left := false
	w.do(at, func() {
		left = true
		for id := range away {
			w.away[id] = true
		}
	})
	w.relisted = func(activities.RelistInput) (activities.Relisted, error) {
		if !left || listed {
			return activities.Relisted{}, nil
		}
		return activities.Relisted{Left: slices.Sorted(slices.Values(ids))}, nil
	}
	w.ailing = func() (silent, replaced []string) {
		for _, id := range ids {
			if left && w.releases[id] == "2.0.0" && !slices.Contains(w.absent, id) {
				silent = append(silent, id)
			}
		}
		return silent, nil
	}
	w.health = func(int, time.Duration) health.Verdict {
		if silent, _ := w.ailing(); len(silent) > 0 {
			return health.Fail
		}
		return health.Pass
	}
	s := fourStages()
	three := 3
	s.Stages[0].Count = &three
	s.Fleet = spec.FleetSource{Command: []string{"./list"}}
	return s
}

// canary are the first stage's targets.
func canary(w *world, s spec.Spec) []string {
	planned, err := w.cut(w.t.Context(), activities.PlanInput{Spec: s})
	require.NoError(w.t, err)
	return fleet.IDs(w.plan.Order[:planned.Stages[0].To])
}

// A target that the listing no longer has is left out by name, in whatever stage it goes: it is no
// reason to go back, nor to lock.
func TestScaleIn(t *testing.T) {
	for name, tc := range map[string]struct {
		at     time.Duration
		who    func(canary, others []string) []string
		listed bool
		want   rollout.Phase
	}{
		"one of the canary":                 {30 * time.Second, func(c, _ []string) []string { return c[:1] }, false, rollout.PhasePromoted},
		"two of the canary":                 {30 * time.Second, func(c, _ []string) []string { return c[:2] }, false, rollout.PhasePromoted},
		"all of the canary":                 {30 * time.Second, func(c, _ []string) []string { return c }, false, rollout.PhaseRolledBack},
		"one of the canary, in a later one": {90 * time.Second, func(c, _ []string) []string { return c[:1] }, false, rollout.PhasePromoted},
		"one before its stage":              {30 * time.Second, func(_, o []string) []string { return o[:1] }, false, rollout.PhasePromoted},
		"many before their stage":           {30 * time.Second, func(_, o []string) []string { return o[:9] }, false, rollout.PhasePromoted},
		"all of a stage before it":          {30 * time.Second, func(_, o []string) []string { return o[:1] }, false, rollout.PhasePromoted},
		"one of each":                       {90 * time.Second, func(c, o []string) []string { return []string{c[0], o[16]} }, false, rollout.PhasePromoted},
		"one that is still listed":          {30 * time.Second, func(c, _ []string) []string { return c[:1] }, true, rollout.PhaseIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			s := w.shrinking(tc.at, tc.listed)
			all := canary(w, s)
			ids := tc.who(all, fleet.IDs(w.plan.Order[len(all):]))
			s = w.shrinking(tc.at, tc.listed, ids...)
			w.events = w.events[1:]
			out := w.run(s)
			require.Equal(t, tc.want, out.Outcome.Result, out.Outcome.Why)
			if tc.listed {
				return
			}
			require.Empty(t, out.Outcome.NotReverted)
			var named []string
			for _, u := range out.Outcome.Unreached {
				require.Contains(t, u.Reason, "has left the fleet")
				named = append(named, u.ID)
			}
			require.ElementsMatch(t, ids, named)
		})
	}
}

// Nor in a sweep, however many were left out before it.
func TestScaleInWhileASweepBakes(t *testing.T) {
	w := newWorld(t, 20)
	all := canary(w, w.shrinking(0, false))
	w.events = nil
	others := fleet.IDs(w.plan.Order[len(all):])
	s := w.shrinking(30*time.Second, false, others[:12]...)
	left, again := slices.Sorted(slices.Values(others[:12])), false
	for _, id := range []string{"new1", "new2"} {
		w.releases[id] = "1.0.0"
	}
	w.relisted = func(in activities.RelistInput) (activities.Relisted, error) {
		now := activities.Relisted{Left: slices.Clone(left)}
		if again {
			now.Left = append(now.Left, "new2")
		}
		for _, id := range []string{"new1", "new2"} {
			if !again && !slices.Contains(in.Known, id) {
				now.Joined = append(now.Joined, fleet.Target{ID: id, Address: id + ":80"})
			}
		}
		return now, nil
	}
	w.ailing = func() (silent, replaced []string) {
		if again && !slices.Contains(w.absent, "new2") {
			silent = []string{"new2"}
		}
		return silent, nil
	}
	w.health = func(stage int, since time.Duration) health.Verdict {
		if stage == 4 && since > 20*time.Second {
			again, w.away["new2"] = true, true
		}
		if silent, _ := w.ailing(); len(silent) > 0 {
			return health.Fail
		}
		return health.Pass
	}
	out := w.run(s)
	require.True(t, again)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
	require.Len(t, out.Outcome.Unreached, 13)
}

// A target that goes between the look at it and its turn stops nothing for the others: all of them
// are brought to the release, or the stage is not applied.
func TestScaleInWhileAStageIsApplied(t *testing.T) {
	for name, tc := range map[string]struct {
		gone, silent, tolerate, batch int
		ran                           string // what those that go ran; empty: as the others
		want                          rollout.Phase
	}{
		"one":                             {gone: 1, batch: 3, want: rollout.PhasePromoted},
		"one of few batches":              {gone: 1, batch: 100, want: rollout.PhasePromoted},
		"one that ran another release":    {gone: 1, batch: 100, ran: "0.9.0", want: rollout.PhasePromoted},
		"several":                         {gone: 4, batch: 3, want: rollout.PhasePromoted},
		"more than are tolerated":         {gone: 4, tolerate: 2, batch: 3, want: rollout.PhasePromoted},
		"beside one that is silent":       {gone: 1, silent: 1, batch: 3, want: rollout.PhaseIncomplete},
		"beside one that is tolerated":    {gone: 2, silent: 1, tolerate: 1, batch: 3, want: rollout.PhasePromoted},
		"beside more than are tolerated":  {gone: 2, silent: 2, tolerate: 1, batch: 3, want: rollout.PhaseIncomplete},
		"beside some, and all one batch":  {gone: 2, silent: 1, tolerate: 1, batch: 100, want: rollout.PhasePromoted},
		"beside many, within the batches": {gone: 3, silent: 2, tolerate: 2, batch: 3, want: rollout.PhasePromoted},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			s := fourStages()
			s.Apply.Batch = tc.batch
			s.Stages[3].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Targets: tc.tolerate}}
			s.Fleet = spec.FleetSource{Command: []string{"./list"}}
			planned, err := w.cut(t.Context(), activities.PlanInput{Spec: s})
			require.NoError(t, err)
			last := fleet.IDs(w.plan.Order[planned.Stages[3].From:])
			gone, quiet := last[:tc.gone], last[tc.gone:tc.gone+tc.silent]
			for _, id := range gone {
				w.releases[id] = cmp.Or(tc.ran, w.releases[id])
			}
			w.measured = func(in activities.BaselineInput) {
				for _, id := range slices.Concat(gone, quiet) {
					w.away[id] = w.away[id] || in.Stage == 3
				}
			}
			w.relisted = func(activities.RelistInput) (activities.Relisted, error) {
				return activities.Relisted{Left: slices.Sorted(slices.Values(gone))}, nil
			}
			out := w.run(s)
			require.Equal(t, tc.want, out.Outcome.Result, out.Outcome.Why)
			if tc.want != rollout.PhasePromoted {
				require.Contains(t, out.Outcome.Why, "was not applied")
				require.Zero(t, w.on("2.0.0"))
				return
			}
			require.Equal(t, 20-tc.gone-tc.silent, w.on("2.0.0"))
			require.Len(t, out.Outcome.Unreached, tc.gone+tc.silent)
			require.Equal(t, len(last)-tc.gone-tc.silent, out.Stages[3].Changed)
		})
	}
}

// On a way back for another reason, too.
func TestScaleInOnTheWayBack(t *testing.T) {
	w := newWorld(t, 20)
	all := canary(w, w.shrinking(0, false))
	w.events = nil
	s := w.shrinking(20*time.Second, false, all[0])
	w.at(30*time.Second, rollout.SignalAbort, rollout.ControlRequest{By: "ann"})
	w.health = func(int, time.Duration) health.Verdict { return health.Pass }
	began := w.env.Now()
	out := w.run(s)
	require.Equal(t, rollout.PhaseAborted, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, 2, out.Outcome.Reverted)
	require.Equal(t, all[0], out.Outcome.Unreached[0].ID)
	require.Contains(t, out.Outcome.Unreached[0].Reason, "has left the fleet, and may still run 2.0.0")
	require.Zero(t, out.Exposed)
	require.Less(t, out.Outcome.EndedAt.Sub(began), 2*time.Minute, "nobody waits for it until the deadline")
}

// A host that is replaced comes up on the old release: it is brought in like one that joined. Too
// many are no coincidence.
func TestReplacedHosts(t *testing.T) {
	for n, want := range map[int]rollout.Phase{1: rollout.PhasePromoted, 2: rollout.PhaseRolledBack} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, 20)
			all := canary(w, w.shrinking(0, true))
			w.events = nil
			s := w.shrinking(0, true)
			s.Fleet = spec.FleetSource{File: "fleet.yaml"}
			w.events = nil
			w.do(30*time.Second, func() {
				for _, id := range all[:n] {
					w.releases[id], w.fences[id] = "1.0.0", 0
				}
			})
			swept := false
			w.ailing = func() (silent, replaced []string) {
				for _, id := range all[:n] {
					exposed := slices.ContainsFunc(w.applies, func(a apply) bool { return a.id == id })
					if exposed && w.releases[id] != "2.0.0" && !slices.Contains(w.absent, id) {
						replaced = append(replaced, id)
					}
				}
				return nil, replaced
			}
			w.health = func(stage int, _ time.Duration) health.Verdict {
				swept = swept || stage == 4
				if _, replaced := w.ailing(); len(replaced) > 0 {
					return health.Fail
				}
				return health.Pass
			}
			out := w.run(s)
			require.Equal(t, want, out.Outcome.Result, out.Outcome.Why)
			require.Equal(t, want == rollout.PhasePromoted, swept, "it is judged")
			require.Equal(t, 20, w.on(map[bool]string{true: "2.0.0", false: "1.0.0"}[swept]))
			require.Empty(t, out.Outcome.Unreached)
			require.Equal(t, map[bool]int{true: 20, false: 0}[swept], out.Exposed)
		})
	}
}
