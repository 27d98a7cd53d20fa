package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestTheFirstStageRepresents(t *testing.T) {
	for _, tc := range []struct {
		name   string
		first  spec.Stage
		labels []string
		want   string
	}{
		{"all regions", spec.Stage{Name: "canary", Count: count(3), Spread: "region"}, []string{"region"}, ""},
		{"not asked", spec.Stage{Name: "canary", Count: count(1)}, nil, ""},
		{
			"too few",
			spec.Stage{Name: "canary", Count: count(2), Spread: "region"},
			[]string{"region"},
			`represent[0]: stage "canary" has no target with region us: it needs at least 3 targets; spread: region takes them evenly`,
		},
		{
			"one tier",
			spec.Stage{Name: "canary", Count: count(6), Spread: "region", Where: map[string]string{"tier": "internal"}},
			[]string{"region", "tier"},
			`represent[1]: stage "canary" has no target with tier paying: it needs at least 2 targets; spread: tier takes them evenly`,
		},
		{
			"misspelt",
			spec.Stage{Name: "canary", Count: count(6), Spread: "region"},
			[]string{"regoin"},
			`represent[0]: no target has a label "regoin", expected one of region (ap, eu, us), tier (internal, paying)`,
		},
	} {
		s := unit(tc.first, spec.Stage{Name: "everyone", Reach: percent(100)})
		s.Represent = tc.labels
		_, err := plan.New(s, sites(60), spec.Kinds{})
		if tc.want == "" {
			require.NoError(t, err, tc.name)
		} else {
			require.EqualError(t, err, tc.want, tc.name)
		}
	}
}
