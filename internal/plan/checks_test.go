package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// A stage in which a check of means could never be decided is refused.
func TestMeansNeedTargets(t *testing.T) {
	parsed := func(canary, fleetSize int, change func(*spec.Check)) error {
		drop := spec.Number(0.2)
		s := spec.Spec{Unit: "edge", Stages: []spec.Stage{
			{Name: "canary", Count: &canary, Bake: spec.Duration(10 * time.Minute)},
			{Name: "all", Reach: &spec.Reach{Percent: 100}, Bake: spec.Duration(10 * time.Minute)},
		}}
		check := spec.Check{Name: "orders", Value: "orders{$exposed}", Against: spec.AgainstControl, Drop: &drop, Weight: 1}
		change(&check)
		s.Health = spec.Health{Every: spec.Duration(15 * time.Second), FalseRollbackRate: 0.01, Checks: []spec.Check{check}}
		var f fleet.Fleet
		for i := range fleetSize {
			f.Targets = append(f.Targets, fleet.Target{ID: fmt.Sprint("t", i), Address: fmt.Sprintf("t%d:1", i)})
		}
		_, err := New(s, f, spec.Kinds{})
		return err
	}
	as := func(*spec.Check) {}
	require.NoError(t, parsed(5, 60, as))
	require.EqualError(t, parsed(1, 60, as), "health.checks[0].value: stage canary has 1 exposed target and 59 of control: "+
		"at least 3 exposed ones are needed to tell harm from chance; "+
		"expected it to reach at least 3, or let the check be advisory, or falseRollbackRate larger")
	require.NoError(t, parsed(1, 60, func(c *spec.Check) { c.Advisory = true }))
	require.ErrorContains(t, parsed(5, 9, as), "no stage of 9 targets has enough")
	require.ErrorContains(t, parsed(59, 60, as), "stage canary has 59 exposed targets and 1 of control")
	require.ErrorContains(t, parsed(5, 60, func(c *spec.Check) { c.Against = spec.AgainstBefore }), "stage canary has 5 exposed targets: at least")
}

func TestChecksGoWithTheFleet(t *testing.T) {
	f := fleet.Fleet{Targets: []fleet.Target{{ID: "a", Address: "a:1", Labels: map[string]string{"region": "eu"}}, {ID: "b", Address: "b:1"}}}
	for says, check := range map[string]spec.Check{
		"": {GroupBy: "region", Match: "region"},
		`health.checks[0].group_by: no target has a label "regoin"`: {GroupBy: "regoin"},
		`health.checks[0].match: no target has a label "tier"`:      {Match: "tier"},
	} {
		s := spec.Spec{Unit: "edge", Stages: []spec.Stage{{Name: "all", Reach: &spec.Reach{Percent: 100}}}}
		s.Health.Checks = []spec.Check{check}
		_, err := New(s, f, spec.Kinds{})
		if says == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, says)
	}
}

// A drill that cannot be run for a target would take its stage back: it is refused where the
// targets are known.
func TestDrillGoesWithTheTargets(t *testing.T) {
	one := 1
	for name, tc := range map[string]struct {
		command []string
		on      string
		others  map[string]string // labels of the targets after the first stage
		want    string
	}{
		"every placeholder":           {[]string{"fire", "{{id}}", "{{address}}", "{{unit}}", "{{release}}", "{{fence}}", "{{label.region}}"}, spec.DrillEvery, map[string]string{"region": "us"}, ""},
		"a label that nobody has":     {[]string{"fire", "{{id}}", "{{label.nope}}"}, spec.DrillEvery, nil, `drill.command[2]: cannot be run for a (and for 2 more): target "a" has no label "nope", which {{label.nope}} asks for`},
		"one that later targets lack": {[]string{"fire", "{{label.region}}"}, spec.DrillEvery, nil, `drill.command[1]: cannot be run for b (and for 1 more): target "b" has no label "region", which {{label.region}} asks for`},
		"and the drill is over then":  {[]string{"fire", "{{label.region}}"}, spec.DrillFirst, nil, ""},
		"what looks like an option":   {[]string{"fire", "{{label.flag}}"}, spec.DrillFirst, nil, `drill.command[1]: cannot be run for a: {{label.flag}}: "-x" begins with '-' and could be taken for an option`},
	} {
		t.Run(name, func(t *testing.T) {
			f := fleet.Fleet{Targets: []fleet.Target{
				{ID: "a", Address: "a:1", Labels: map[string]string{"region": "eu", "flag": "-x", "first": "yes"}},
				{ID: "b", Address: "b:1", Labels: tc.others},
				{ID: "c", Address: "c:1", Labels: tc.others},
			}}
			s := spec.Spec{Unit: "edge", Release: "2", Drill: &spec.Drill{Command: tc.command, On: tc.on}, Stages: []spec.Stage{
				{Name: "canary", Count: &one, Where: map[string]string{"first": "yes"}},
				{Name: "all", Reach: &spec.Reach{Percent: 100}},
			}}
			_, err := New(s, f, spec.Kinds{})
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tc.want)
		})
	}
}
