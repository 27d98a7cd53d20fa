package activities

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// others are the newest rollouts of units in memory.
type others struct {
	states  map[string]rollout.State
	aborted map[string]rollout.ControlRequest
}

func (o others) newest(_ context.Context, unit string) (rollout.State, string, bool, error) {
	if unit == "mute" {
		return rollout.State{}, "", false, errors.New("no worker answers")
	}
	s, ok := o.states[unit]
	return s, "run of " + unit, ok, nil
}

func (o others) abort(_ context.Context, unit, run string, req rollout.ControlRequest) error {
	if run != "run of "+unit {
		return errors.New("another run")
	}
	o.aborted[unit] = req
	return nil
}

func TestSuspectsOfOtherUnits(t *testing.T) {
	for _, back := range []bool{false, true} {
		f := newFixture(t, 1)
		all := others{aborted: map[string]rollout.ControlRequest{}, states: map[string]rollout.State{
			"features": {Unit: "features", Release: "v3", Phase: rollout.PhaseGuard, Exposed: 12},
			"rules":    {Unit: "rules", Release: "v1", Phase: rollout.PhasePromoted, Exposed: 12},
		}}
		f.acts.rollouts = all
		out := do[[]rollout.Suspect](t, f, f.acts.Suspects, SuspectsInput{
			Units: []string{"features", "rules", "new", "mute"}, Back: back, By: "the rollout of routes", Why: "harm", ID: "run-1",
		})
		require.Equal(t, []rollout.Suspect{
			{Unit: "features", Release: "v3", Phase: rollout.PhaseGuard, Exposed: 12, ToldBack: back},
			{Unit: "rules", Release: "v1", Phase: rollout.PhasePromoted, Exposed: 12},
			{Unit: "new"},
			{Unit: "mute", Unknown: "no worker answers"},
		}, out)
		if back { // only what is guarded: a settled release goes back by undo
			require.Equal(t, map[string]rollout.ControlRequest{"features": {By: "the rollout of routes", Why: "harm", ID: "run-1"}}, all.aborted)
		} else {
			require.Empty(t, all.aborted)
		}
	}
}
