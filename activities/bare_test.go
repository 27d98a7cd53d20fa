package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// What was not installed has no past: a first deploy is looked at from its first stage on.
func TestFirstDeploy(t *testing.T) {
	for name, tc := range map[string]struct {
		installed, silent string
		fallback          *spec.Fallback
		bare              bool
	}{
		"nothing is installed": {fallback: &spec.Fallback{Remove: true}, bare: true},
		"on one it is":         {installed: "t003", fallback: &spec.Fallback{Remove: true}},
		"one is silent":        {silent: "t003", fallback: &spec.Fallback{Remove: true}},
		"no fallback":          {},
	} {
		t.Run(name, func(t *testing.T) {
			limit := spec.Number(1)
			f := newFixtureWith(t, 5, spec.Health{Checks: []spec.Check{{Name: "load", Value: "load", Max: &limit}}})
			f.plan.Spec.Fallback = tc.fallback
			f.acts.plans[f.all.Plan] = f.plan
			for id := range f.state {
				f.state[id] = driver.State{}
			}
			f.state[tc.installed] = driver.State{Release: "1.0.0"}
			f.down[tc.silent] = 99
			require.Equal(t, tc.bare, bare(t.Context(), f.plan, f.fakeFleet, f.plan.Order))
			if tc.bare {
				out := do[health.Report](t, f, f.acts.Preflight, PreflightInput{Plan: f.all.Plan})
				require.Equal(t, health.Pass, out.Verdict())
				require.Contains(t, out.Results[0].Sentence, "nothing is installed on any of the 5 targets")
			}
		})
	}
}

func TestWithoutPast(t *testing.T) {
	limit, compared := spec.Check{Name: "limit"}, spec.Check{Name: "compared", Against: spec.AgainstControl}
	advice := spec.Check{Name: "advice", Advisory: true}
	for name, tc := range map[string]struct {
		before  health.Baseline
		checks  []spec.Check
		want    []string
		control int
		traffic bool
	}{
		"a past":                    {health.Baseline{}, []spec.Check{limit, compared}, []string{"limit", "compared"}, 2, true},
		"a first deploy":            {health.Baseline{Bare: true, BareControl: true}, []spec.Check{limit, compared}, []string{"limit"}, 0, false},
		"its later stages":          {health.Baseline{BareControl: true}, []spec.Check{limit, compared}, []string{"limit", "compared"}, 0, true},
		"its middle stage":          {health.Baseline{BareOwn: true, BareControl: true}, []spec.Check{limit, compared}, []string{"limit"}, 0, true},
		"its middle, comparisons":   {health.Baseline{BareOwn: true, BareControl: true}, []spec.Check{compared}, []string{"compared"}, 0, true},
		"new hosts in a stage":      {health.Baseline{BareOwn: true}, []spec.Check{limit, compared}, []string{"limit", "compared"}, 2, true},
		"new hosts beside old ones": {health.Baseline{Bare: true}, []spec.Check{limit, compared}, []string{"limit", "compared"}, 2, false},
		"comparisons only":          {health.Baseline{Bare: true, BareControl: true}, []spec.Check{compared, advice}, []string{"compared", "advice"}, 0, false},
	} {
		b := health.Binding{Before: tc.before}
		b.Control = []fleet.Target{{ID: "a"}, {ID: "b"}}
		h, b := withoutPast(spec.Health{Checks: tc.checks}, b)
		var names []string
		for _, c := range h.Checks {
			if !c.Advisory || c.Name == advice.Name {
				names = append(names, c.Name)
			}
		}
		require.Len(t, h.Checks, len(tc.checks), "what does not decide is shown")
		require.Equal(t, tc.want, names, name)
		require.Len(t, b.Control, tc.control, name)
		require.Equal(t, tc.traffic, len(h.Without) == 0, name)
	}
}

// Of a first deploy's later stages the canaries have a past, and the stage's own targets none.
func TestFirstDeployInItsLaterStages(t *testing.T) {
	limit := spec.Number(1)
	f := newFixtureWith(t, 5, spec.Health{
		Every: spec.Duration(time.Millisecond), Source: spec.Choose("scrape", scrape.Scrape{URL: "http://127.0.0.1:1/", Sample: 1}),
		Without: []string{spec.CheckAlive, spec.CheckTraffic}, Checks: []spec.Check{{Name: "load", Value: "load", Max: &limit}},
	})
	two := f.input
	two.Spec.Stages = []spec.Stage{
		{Name: "canary", Count: new(2), Bake: spec.Duration(time.Minute)},
		{Name: "all", Reach: &spec.Reach{Percent: 100}, Bake: spec.Duration(time.Minute)},
	}
	two.Spec.Fallback = &spec.Fallback{Remove: true}
	planned, err := f.acts.Plan(t.Context(), two)
	require.NoError(t, err)
	p, err := f.acts.load(t.Context(), planned.Digest)
	require.NoError(t, err)
	for id := range f.state {
		f.state[id] = driver.State{}
	}
	for _, canary := range p.Cohort(0) {
		f.state[canary.ID] = driver.State{Release: "2.0.0", Alive: true}
	}
	out := do[health.Baseline](t, f, f.acts.Baseline, BaselineInput{StageRef: StageRef{Plan: planned.Digest, Stage: 1}, At: time.Now()})
	require.True(t, out.BareOwn)
	require.False(t, out.Bare)
}
