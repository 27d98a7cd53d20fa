package health_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// A target fits when every template of the checks can be filled for it, and nobody else
// appears under its name.
func TestFit(t *testing.T) {
	bare := fleet.Target{ID: "new", Address: "10.0.0.9:80"}
	tiered := fleet.Target{ID: "new", Address: "10.0.0.9:80", Labels: map[string]string{"tier": "gold"}}
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
		"probe":             {spec.Health{Checks: []spec.Check{{Name: "up", Probe: &spec.Probe{HTTP: "http://{{address}}/{{label.tier}}"}}}}, bare, `check "up": probe.http: target "new" has no label "tier"`},
		"probe of a port":   {spec.Health{Checks: []spec.Check{{Name: "up", Probe: &spec.Probe{TCP: "{{label.tier}}:80"}}}}, bare, `check "up": probe.tcp: target "new" has no label "tier"`},
		"probe with label":  {spec.Health{Checks: []spec.Check{{Name: "up", Probe: &spec.Probe{HTTP: "http://{{address}}/{{label.tier}}"}}}}, tiered, ""},
		"page":              {spec.Health{Scrape: &spec.Scrape{URL: "http://{{address}}/{{label.tier}}"}}, bare, `health.scrape.url: target "new" has no label "tier"`},
		"name":              {spec.Health{Prometheus: "http://p", Identify: spec.Identify{Label: "pod", Value: "{{label.tier}}"}}, bare, `health.identify.value: target "new" has no label "tier"`},
		"a name of another": {spec.Health{Prometheus: "http://p", Identify: by, Checks: each}, same, `health.identify: appears as instance="10.0.0.1:80", as target old does`},
		"one name for all":  {spec.Health{Prometheus: "http://p", Identify: by}, same, ""},
		"a name of its own": {spec.Health{Prometheus: "http://p", Identify: by, Checks: each}, bare, ""},
	} {
		err := health.Fit(tc.health, others)(tc.target)
		if tc.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, tc.says, name)
	}
	fit := health.Fit(spec.Health{Prometheus: "http://p", Identify: by, Checks: each}, others)
	require.NoError(t, fit(bare))
	require.NoError(t, fit(bare), "a target does not stand in its own way")
	require.ErrorContains(t, fit(fleet.Target{ID: "newer", Address: bare.Address}), "as target new does")
}
