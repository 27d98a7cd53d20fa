package outages

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

const tiny = `name: tiny
title: A tiny outage
change: a flag
fleet: [{count: 10}]
load: [{rate: 10}]
faults: [errors 100% from 1m]
spread: 10s
detected: 2m
mitigated: 10m
over: 20m
`

const tinySpec = `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: first, count: 1, bake: 5m}
  - {name: half, reach: 50%, bake: 20m}
  - {name: all, reach: 100%, bake: 20m}
health:
  prometheus: http://x
  checks: [{name: errors, bad: "sum(increase(bad{$exposed}[$window]))", total: "sum(increase(all{$exposed}[$window]))", max: 2%}]
`

func tinyPlan(t *testing.T, text string) (Outage, plan.Plan) {
	t.Helper()
	o, err := Parse("tiny.yaml", []byte(text))
	require.NoError(t, err)
	p, err := o.Plan("spec.yaml", []byte(tinySpec), catalog.New().Kinds())
	require.NoError(t, err)
	return o, p
}

// Each way on ten targets of 10 requests a second, which all fail one minute after a target got the
// change: the numbers can be worked out by hand.
func TestWaysByHand(t *testing.T) {
	o, p := tinyPlan(t, tiny)
	for way, want := range map[Way]struct {
		exposed, bad float64
		undone       time.Duration
	}{
		Push:    {1, 10 * 10 * 20 * 60, 20 * time.Minute},
		Watched: {1, 10 * 10 * 10 * 60, 10 * time.Minute},
		Delayed: {1, 10 * 10 * 10 * 60, 10 * time.Minute},
		// The first target does harm for ten minutes, and four more after five minutes of it, less
		// a minute each.
		Timed: {0.5, 10 * (10*60 + 4*5*60), 10 * time.Minute},
	} {
		l := o.Play(way, p, catalog.New().Kinds(), 1)
		s := o.Score(way, l)
		require.True(t, s.Harmed, way)
		require.InDelta(t, want.exposed, s.Exposed, 1e-9, way)
		require.InEpsilon(t, want.bad, s.Bad, 0.06, way) // slots, and targets that follow each other
		require.Equal(t, want.undone, s.Undone.Round(30*time.Second), way)
		if way == Push {
			require.Nil(t, s.Detected)
		} else {
			require.Equal(t, 2*time.Minute, *s.Detected, way)
		}
	}
}

// A push that takes longer than the outage lasted is ended where the outage was: one host for three
// hours, not all of them.
func TestPushSlowerThanItsOutage(t *testing.T) {
	o, p := tinyPlan(t, "name: slow\ntitle: T\nchange: c\nfleet: [{count: 10}]\nload: [{rate: 10}]\n"+
		"faults: [no traffic]\nspread: 100h\nmitigated: 3h\nover: 3h\n")
	s := o.Score(Push, o.Play(Push, p, catalog.New().Kinds(), 1))
	require.InEpsilon(t, 3*3600*10, s.Bad, 0.01)
	require.InDelta(t, 0.1, s.Exposed, 1e-9)
}

// Harm that sleeps longer than a fleet is looked at otherwise is waited for, also a day later.
func TestDormantADayLater(t *testing.T) {
	o, p := tinyPlan(t, "name: late\ntitle: T\nchange: c\nfleet: [{count: 10}]\nfaults: [errors 100% from 20h]\nmitigated: 10m\nover: 20m\n")
	for _, way := range []Way{Push, Delayed, Timed} {
		require.True(t, o.Score(way, o.Play(way, p, catalog.New().Kinds(), 1)).Harmed, way)
	}
}

// A change that does no harm costs nothing in any way.
func TestHealthyChange(t *testing.T) {
	o, p := tinyPlan(t, "name: fine\ntitle: A good change\nchange: a flag\nfleet: [{count: 10}]\nfaults: [errors 5x everywhere at 5m for 5m]\n")
	require.False(t, o.Harmful())
	for _, way := range []Way{Push, Timed} {
		s := o.Score(way, o.Play(way, p, catalog.New().Kinds(), 1))
		require.False(t, s.Harmed)
		require.Zero(t, s.Bad)
	}
}

func TestParseSaysEverything(t *testing.T) {
	_, err := Parse("bad.yaml", []byte(`name: Not A Name
title: ""
faults: [errrors 3x, errors 3x on region=mars]
spread: -1s
detected: 1h
mitigated: 30m
grades: {detected: certain, weather: read}
load: [{rate: -1}]
colour: red
sources: [https://example.com/a, not a url]
`))
	require.Error(t, err)
	for _, want := range []string{
		"bad.yaml:1:7: name:", "bad.yaml:2:8: title: is required", "change: is required", `"errrors" is no kind of fault (did you mean "errors"?)`,
		"bad.yaml:3:22: faults[1]: no target of the fleet has these labels, expected some of class=a", "bad.yaml:4:9: spread",
		"bad.yaml:5:11: detected: is 1h, after mitigated (30m)", "over: is required", `grades.detected: is "certain", expected read`,
		"grades.weather: is graded, expected one of", "load[0]: expected a rate", `bad.yaml:9:1: unknown field "colour"`,
		`bad.yaml:10:34: sources[1]: is "not a url", expected a URL`,
	} {
		require.ErrorContains(t, err, want)
	}
}

// A date is a day of the calendar.
func TestDate(t *testing.T) {
	const text = "name: x\ntitle: T\nchange: c\ndate: "
	for _, date := range []string{"tomorrow", "2025-13-01", "2025-02-30", "12/05/2025", `""`, "2025-12-5"} {
		_, err := Parse("x.yaml", []byte(text+date+"\n"))
		require.ErrorContains(t, err, "x.yaml:4:7: date: is ", date)
		require.ErrorContains(t, err, "is no date, expected YYYY-MM-DD such as 2025-12-05", date)
	}
	for _, date := range []string{"2025-12-05", `"2024-02-29"`} {
		_, err := Parse("x.yaml", []byte(text+date+"\n"))
		require.NoError(t, err, date)
	}
	_, err := Parse("x.yaml", []byte("name: x\ntitle: T\nchange: c\n"))
	require.NoError(t, err, "none is needed")
}

// One mistake in the fleet is one error: which labels it would have had is not known.
func TestOneErrorForAFleet(t *testing.T) {
	for fleet, want := range map[string]string{
		"{count: 0, labels: {a: b}}":                               "x.yaml:4:17: fleet[0].count: is 0, expected at least 1",
		"{count: 3}, {count: 0, labels: {a: b}}":                   "x.yaml:4:29: fleet[1].count: is 0, expected at least 1",
		"{count: -3, labels: {a: b}}":                              "x.yaml:4:17: fleet[0].count: is -3, expected at least 1",
		"{labels: {a: b}}":                                         "x.yaml:4:9: fleet[0].count: is required, expected at least 1",
		"{count: many, labels: {a: b}}":                            "x.yaml:4:17: fleet[0].count: ",
		"{count: 3, labels: 3}":                                    "x.yaml:4:28: fleet[0].labels: ",
		"{count: 9000}, {count: 2000}, {count: 3}":                 "x.yaml:4:32: fleet[1].count: makes 11,000 targets, expected at most 10,000 in all",
		"{count: 9223372036854775807}, {count: 100}":               "x.yaml:4:17: fleet[0].count: makes ",
		"{count: 1}, {count: 10000}, {count: 9223372036854775807}": "x.yaml:4:29: fleet[1].count: makes 10,001 targets",
	} {
		_, err := Parse("x.yaml", []byte("name: x\ntitle: T\nchange: c\nfleet: ["+fleet+"]\n"+
			"faults: [errors 5x on a=b]\nload: [{on: {a: b}, rate: 3}]\nmitigated: 1m\nover: 1m\n"))
		var problems strictyaml.Problems
		require.ErrorAs(t, err, &problems, fleet)
		require.Len(t, problems, 1, "%s: %s", fleet, err)
		require.ErrorContains(t, err, want)
	}
}

// Traffic of 0 is not taken for the default.
func TestLoadAboveZero(t *testing.T) {
	for _, load := range []string{"rate: 0", "errors: 0%", "rate: -1", "errors: 101%"} {
		_, err := Parse("x.yaml", []byte("name: x\ntitle: T\nchange: c\nload: [{"+load+"}]\n"))
		require.ErrorContains(t, err, "load[0]: expected a rate above 0", load)
	}
}

// The standard fleet has every class that outages tell apart, and the default spec's first stages
// have them all.
func TestDefaultSpecReachesEveryClass(t *testing.T) {
	p, err := Outage{}.Plan("", nil, catalog.New().Kinds())
	require.NoError(t, err)
	all := map[string]bool{}
	for _, x := range p.Exposed(1) {
		for name, value := range x.Labels {
			all[name+"="+value] = true
		}
	}
	for _, x := range Standard().Targets {
		for name, value := range x.Labels {
			require.True(t, all[name+"="+value], "%s=%s is in neither internal nor canary", name, value)
		}
	}
}

// The default spec is for every fleet, of any size and with any labels.
func TestDefaultSpecFitsAnyFleet(t *testing.T) {
	for _, labels := range []map[string]string{nil, {"zone": "a"}, {"tier": "internal"}, {"tier": "internal", "class": "b", "x": "y"}} {
		for _, n := range []int{1, 2, 3, 7, 20, 49, 66, 151, 200, 1001, 10_000} {
			o := Outage{Fleet: []Group{{Count: (n + 1) / 2, Labels: labels}, {Count: n / 2}}}
			if n == 1 {
				o.Fleet = o.Fleet[:1]
			}
			p, err := o.Plan("", nil, catalog.New().Kinds())
			require.NoError(t, err, "%d targets with %v", n, labels)
			require.Len(t, p.Order, n)
			require.LessOrEqual(t, len(p.Cohort(0)), max(1, n/50))
		}
	}
}
