package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestChecksGoWithTheFleet(t *testing.T) {
	f := fleet.Fleet{Targets: []fleet.Target{{ID: "a", Address: "a:1", Labels: map[string]string{"region": "eu"}}, {ID: "b", Address: "b:1"}}}
	for says, check := range map[string]spec.Check{
		"": {GroupBy: "region", Match: "region"},
		`health.checks[0].group_by: no target has a label "regoin"`: {GroupBy: "regoin"},
		`health.checks[0].match: no target has a label "tier"`:      {Match: "tier"},
	} {
		s := spec.Spec{Unit: "edge", Stages: []spec.Stage{{Name: "all", Reach: &spec.Reach{Percent: 100}}}}
		s.Health.Checks = []spec.Check{check}
		_, err := New(s, f)
		if says == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, says)
	}
}
