package rollout

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// watched is the highest count of exposed targets that a status query answers.
func (w *world) mostExposed() *int {
	most := new(int)
	for at := time.Second; at < 10*time.Minute; at += time.Second {
		w.do(at, func() {
			v, err := w.env.QueryWorkflow(rollout.QueryStatus)
			if err != nil {
				return // it has ended
			}
			var s rollout.State
			require.NoError(w.t, v.Get(&s))
			*most = max(*most, s.Exposed)
		})
	}
	return most
}

// A target that fell silent while it was changed, and is swept in later, counts once as touched,
// exposed and reverted, whether it had taken the order or not.
func TestSweptTargetsCountOnce(t *testing.T) {
	for _, took := range []bool{false, true} {
		w := newWorld(t, 100)
		s := tolerant(10)
		w.leave(s)
		id := w.plan.Order[60].ID
		w.silent = map[string]bool{}
		w.applier = func(ctx context.Context, in activities.ApplyInput) (activities.Applied, error) {
			its := in.Stragglers == nil && slices.ContainsFunc(w.targets(in.Batch), func(t fleet.Target) bool { return t.ID == id })
			set := func(quiet bool) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.away[id], w.silent[id] = quiet && !took, quiet && took
			}
			if its {
				set(true)
				defer set(false)
			}
			return w.apply(ctx, in)
		}
		most := w.mostExposed()
		w.fails(func(stage int, _ time.Duration) bool { return stage == 4 })
		out := w.run(s)
		require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
		require.Len(t, out.Stages, 5)
		require.Equal(t, 100, w.on("1.0.0"))
		require.Equal(t, 100, out.Outcome.Touched, "took the order: %t", took)
		require.Equal(t, 100, out.Outcome.Reverted)
		require.Equal(t, 100, *most)
		require.Zero(t, out.Exposed)
	}
}

// One that is at another address when it comes back is another machine: both are taken back, and it
// is exposed once.
func TestMovedTargetsAreExposedOnce(t *testing.T) {
	w := newWorld(t, 20)
	s := fourStages()
	s.Fleet = spec.FleetSource{Command: []string{"./list"}}
	w.leave(s)
	moved := fleet.Target{ID: w.plan.Order[7].ID, Address: "elsewhere:80"}
	w.relisted = func(in activities.RelistInput) (activities.Relisted, error) {
		if len(in.Known) > 0 {
			return activities.Relisted{}, nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.releases[moved.ID], w.fences[moved.ID] = "1.0.0", 0
		return activities.Relisted{Moved: []fleet.Target{moved}}, nil
	}
	most := w.mostExposed()
	out := w.run(s)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, 20, w.on("2.0.0"))
	require.Equal(t, 20, *most)
	require.Equal(t, 20, out.Targets)
}
