package health_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// A target fits when metrics can name it, and nobody else appears under its name.
func TestFit(t *testing.T) {
	bare := fleet.Target{ID: "new", Address: "10.0.0.9:80"}
	same := fleet.Target{ID: "new", Address: "10.0.0.1:80", Labels: map[string]string{"tier": "gold"}}
	others := []fleet.Target{{ID: "old", Address: "10.0.0.1:80", Labels: map[string]string{"tier": "gold"}}}
	by := spec.Identify{Label: "instance", Value: "{{address}}"}
	each := []spec.Check{{Name: "errors", Each: spec.EachTarget}}
	for name, tc := range map[string]struct {
		health spec.Health
		target fleet.Target
		says   string
	}{
		"nothing asked":     {spec.Health{}, bare, ""},
		"name":              {spec.Health{Source: spec.Choose("prometheus", "http://p"), Identify: spec.Identify{Label: "pod", Value: "{{label.tier}}"}}, bare, `health.identify.value: target "new" has no label "tier"`},
		"a name of another": {spec.Health{Source: spec.Choose("prometheus", "http://p"), Identify: by, Checks: each}, same, `health.identify: appears as instance="10.0.0.1:80", as target old does`},
		"one name for all":  {spec.Health{Source: spec.Choose("prometheus", "http://p"), Identify: by}, same, ""},
		"a name of its own": {spec.Health{Source: spec.Choose("prometheus", "http://p"), Identify: by, Checks: each}, bare, ""},
	} {
		err := health.CheckIdentity(tc.health, kinds, others)(tc.target)
		if tc.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, tc.says, name)
	}
	fit := health.CheckIdentity(spec.Health{Source: spec.Choose("prometheus", "http://p"), Identify: by, Checks: each}, kinds, others)
	require.NoError(t, fit(bare))
	require.NoError(t, fit(bare), "a target does not stand in its own way")
	require.ErrorContains(t, fit(fleet.Target{ID: "newer", Address: bare.Address}), "as target new does")
}
