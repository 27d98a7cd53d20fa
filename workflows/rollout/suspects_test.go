package rollout

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// wakes is a spec that may wake another unit, whose canary shows harm.
func wakes(t *testing.T, on string) (*world, spec.Spec) {
	w := newWorld(t, 20)
	w.health = func(int, time.Duration) health.Verdict { return health.Fail }
	s := fourStages()
	s.Activates, s.OnRegression = []string{"features", "rules"}, on
	return w, s
}

// The outcome of harm ranks what may have been woken, and the spec says whether that goes back,
// too.
func TestSuspectsAreRanked(t *testing.T) {
	for on, back := range map[string]bool{"": false, spec.OnRegressionTrigger: false, spec.OnRegressionBoth: true} {
		t.Run(on, func(t *testing.T) {
			w, s := wakes(t, on)
			w.suspects = func(in activities.SuspectsInput) ([]rollout.Suspect, error) {
				require.Equal(t, []string{"features", "rules"}, in.Units)
				require.Equal(t, back, in.Back)
				require.Contains(t, in.Why, "edge 2.0.0 may have woken it: errors FAIL")
				return []rollout.Suspect{
					{Unit: "features", Release: "v3", Phase: rollout.PhaseGuard, Exposed: 20, Since: w.env.Now().Add(-time.Hour), ToldBack: in.Back},
					{Unit: "rules"},
				}, nil
			}
			o := w.run(s).Outcome
			require.Equal(t, rollout.PhaseRolledBack, o.Result)
			require.Equal(t, 20, w.on("1.0.0"))
			require.Len(t, o.Suspects, 3)
			require.Equal(t, "features", o.Suspects[0].Unit)
			require.True(t, o.Suspects[1].Trigger)
			require.Equal(t, 1, o.Suspects[1].Exposed)
			require.Contains(t, o.Why, "suspects: features v3 (guarding, 20 targets, 1h")
		})
	}
}

// Nobody is asked where the release is good, or a person aborts; that nobody answers keeps nothing
// from going back.
func TestSuspectsAreNotWaitedFor(t *testing.T) {
	w, s := wakes(t, spec.OnRegressionBoth)
	w.health = func(int, time.Duration) health.Verdict { return health.Pass }
	w.suspects = func(activities.SuspectsInput) ([]rollout.Suspect, error) {
		t.Error("asked")
		return nil, nil
	}
	w.at(70*time.Second, rollout.SignalAbort, rollout.ControlRequest{By: "ann", Why: "no"})
	require.Equal(t, rollout.PhaseAborted, w.run(s).Outcome.Result)

	w, s = wakes(t, spec.OnRegressionBoth)
	w.suspects = func(activities.SuspectsInput) ([]rollout.Suspect, error) { return nil, errors.New("no Temporal") }
	o := w.run(s).Outcome
	require.Equal(t, rollout.PhaseRolledBack, o.Result)
	require.Equal(t, 20, w.on("1.0.0"))
	require.Contains(t, o.Why, "nobody knows what else was woken: ")
}
