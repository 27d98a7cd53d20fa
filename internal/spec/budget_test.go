package spec_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestBudget(t *testing.T) {
	objective := spec.Number(0.999)
	h := spec.Health{FalseRollbackRate: 0.05, Checks: []spec.Check{
		{Name: "errors", Total: "t", Against: spec.AgainstControl, Weight: 3},
		{Name: "slow", Slow: &spec.Slow{}, Max: &objective},
		{Name: "objective", Total: "t", Objective: &objective},
		{Name: "shape", Value: "y", Against: spec.AgainstBefore, Advisory: true, Weight: 5},
		{Name: "limit", Total: "t", Max: &objective},
		{Name: "value", Value: "x", Max: &objective},
		{Name: "outliers", Total: "t", Against: spec.AgainstControl, Each: spec.EachTarget},
		{Name: "healthz", Form: spec.Choose("probe", health.Probe{})},
		{Name: "ran", Exercise: &spec.Exercise{}},
	}}
	for name, want := range map[string]float64{
		"errors": 3 / 5.02, "slow": 1 / 5.02, "objective": 1 / 5.02, spec.CheckTraffic: 0.02 / 5.02,
		"shape": 5 / 10.02,
		"limit": 0, "value": 0, "outliers": 0, "healthz": 0, "ran": 0, spec.CheckAlive: 0, "no such": 0, "": 0,
	} {
		require.InDelta(t, 0.05*want/4, h.Budget(name, 4), 1e-15, name)
	}
	require.InDelta(t, h.Budget("errors", 1), h.Budget("errors", 0), 0)
	require.InDelta(t, h.Budget("errors", 1), h.Budget("errors", -3), 0)

	h.Without = []string{spec.CheckTraffic}
	require.InDelta(t, 0.05*3/5, h.Budget("errors", 1), 1e-15)
	require.Zero(t, h.Budget(spec.CheckTraffic, 1))

	h.FalseRollbackRate = 0 // as in a history of before
	require.InDelta(t, 0.001*3/5, h.Budget("errors", 1), 1e-15)
}

// All checks that decide have together never more than the rate, over all stages; an advisory check
// changes nothing for the others, and would not if it decided in their place.
func TestBudgetIsNeverExceeded(t *testing.T) {
	const rounding = 1 + 1e-12
	rapid.Check(t, func(t *rapid.T) {
		h := spec.Health{FalseRollbackRate: spec.Number(rapid.Float64Range(1e-6, 0.5).Draw(t, "rate"))}
		if rapid.Bool().Draw(t, "without") {
			h.Without = []string{spec.CheckTraffic}
		}
		one := spec.Number(1)
		for i := range rapid.IntRange(1, 100).Draw(t, "checks") {
			c := spec.Check{
				Name: fmt.Sprint("c", i), Advisory: rapid.Bool().Draw(t, "advisory"),
				Weight: spec.Number(rapid.OneOf(rapid.Float64Range(0.001, 1000), rapid.Float64()).Draw(t, "weight")),
			}
			switch rapid.IntRange(0, 5).Draw(t, "form") {
			case 0:
				c.Total, c.Against = "t", spec.AgainstControl
			case 1:
				c.Slow, c.Max = &spec.Slow{}, &one
			case 2:
				c.Total, c.Objective = "t", &one
			case 3:
				c.Value, c.Against = "x", spec.AgainstBefore
			default:
				c.Value, c.Max = "x", &one
			}
			h.Checks = append(h.Checks, c)
		}
		stages := rapid.IntRange(1, 100).Draw(t, "stages")
		rate := float64(h.FalseRollbackRate)

		spent := float64(stages) * h.Budget(spec.CheckTraffic, stages)
		deciding := spent > 0
		for i, c := range h.Checks {
			part := float64(stages) * h.Budget(c.Name, stages)
			require.Equal(t, c.Budgeted(), part > 0, "every test has a part, and nothing else has")
			require.LessOrEqual(t, part, rate*rounding)
			if !c.Advisory {
				spent += part
				deciding = deciding || c.Budgeted()
				continue
			}
			h.Checks[i].Advisory = false
			require.InEpsilon(t, 1+part, 1+float64(stages)*h.Budget(c.Name, stages), 1e-12, "the part that it would have")
			h.Checks[i].Advisory = true
		}
		require.LessOrEqual(t, spent, rate*rounding)
		if deciding {
			require.InEpsilon(t, rate, spent, 1e-9, "nothing is left over")
		}
	})
}
