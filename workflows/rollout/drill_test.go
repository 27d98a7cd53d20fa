package rollout

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// A drill runs on the first stage's targets only, or on all, after they have the release and before
// they bake.
func TestDrill(t *testing.T) {
	for on, targets := range map[string]int{spec.DrillFirst: 1, spec.DrillEvery: 100} {
		t.Run(on, func(t *testing.T) {
			w := newWorld(t, 100)
			s := fourStages()
			s.Drill = &spec.Drill{Command: []string{"fire"}, On: on}
			var drilled atomic.Int64
			w.drills = func(in activities.DrillInput) []activities.Trouble {
				require.GreaterOrEqual(t, w.on("2.0.0"), in.To, "the stage has the release")
				drilled.Add(int64(in.To - in.From))
				return nil
			}
			require.Equal(t, rollout.PhasePromoted, w.run(s).Outcome.Result)
			require.EqualValues(t, targets, drilled.Load())
		})
	}
}

// A drill that fails on one target takes the stage back before it bakes.
func TestDrillFails(t *testing.T) {
	w := newWorld(t, 100)
	s := fourStages()
	s.Drill = &spec.Drill{Command: []string{"fire"}, On: spec.DrillFirst}
	w.drills = func(in activities.DrillInput) []activities.Trouble {
		return []activities.Trouble{{ID: w.plan.Order[0].ID, Reason: "refused by target: drill: fire: exit status 1: quota panics", Refused: true}}
	}
	st := w.run(s)
	require.Equal(t, rollout.PhaseRolledBack, st.Outcome.Result, st.Outcome.Why)
	require.Contains(t, st.Outcome.Why, "the drill of")
	require.Contains(t, st.Outcome.Why, "failed on 1 of 1 targets: "+w.plan.Order[0].ID+" refused by target: drill: fire: exit status 1: quota panics")
	require.Equal(t, 100, w.on("1.0.0"))
	require.Zero(t, w.watches)
}
