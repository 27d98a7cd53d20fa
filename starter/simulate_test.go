package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

const rehearsedSpec = `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 1, bake: 24h}
  - {name: all, reach: 100%, bake: 24h}
health:
  scrape: {}
  checks: [{name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 5%}]
`

// Numbers that no traffic has are refused, also those that are no numbers.
func TestSimulateRefusesNumbers(t *testing.T) {
	path := write(t, "rollout.yaml", rehearsedSpec)
	list := "targets: [{id: a, address: a:1}, {id: b, address: b:1}]\n"
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "fleet.yaml"), []byte(list), 0o600))
	for flag, says := range map[string]string{
		"--rate=NaN": "expected above 0 to 1,000,000,000", "--rate=Inf": "expected above 0 to", "--rate=-1": "--rate -1: expected above 0 to",
		"--rate=0":   "--rate 0: expected above 0 to 1,000,000,000, or leave it out", // which would be the default
		"--errors=0": "--errors 0: expected above 0% to 100%, or leave it out", "--errors=0%": "--errors 0%: expected above 0%",
		"--errors=101%": `--errors "101%" is no share`,
		"--burst=NaN":   "expected 0 to", "--burst=1e12": "expected 0 to", "--wander=NaN": "expected 0 to", "--wander=11": "expected 0 to",
	} {
		got := sluice(t, "", "simulate", path, "--no-past", flag)
		require.Equal(t, 2, got.code, flag)
		require.Contains(t, got.errOut, says, flag)
	}
}

// Whoever has enough of a long rehearsal does not wait for its end.
func TestRehearsalIsLeft(t *testing.T) {
	c := catalog.New()
	doc, err := spec.Parse("rollout.yaml", []byte(rehearsedSpec), c.Kinds())
	require.NoError(t, err)
	kept, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := rehearsal.Rehearsal{
		Spec: doc.Spec, Fleet: fleet.Fleet{Targets: []fleet.Target{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}}},
		Before: "1", Limit: time.Minute, Store: kept,
	}
	run := func() (rehearsal.Result, error) { return rehearsal.Run(r, c) }
	_, err = rehearsed(ctx, run)
	require.ErrorIs(t, err, errInterrupted)
	out, err := rehearsed(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, "2", out.State.Release)
}

// A fault keeps its commas, and what goes back is over at the end.
func TestFaultWithTwoLabels(t *testing.T) {
	path := write(t, "rollout.yaml", strings.ReplaceAll(rehearsedSpec, "24h", "5m"))
	list := "targets: [{id: a, address: a:1, labels: {r: eu, k: x}}, {id: b, address: b:1, labels: {r: eu, k: x}}]\n"
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "fleet.yaml"), []byte(list), 0o600))
	got := sluice(t, "", "simulate", path, "--no-past", "--fault", "crash from 1m on r=eu,k=x")
	require.Zero(t, got.code, got.errOut)
	require.Contains(t, got.out, "rolled-back")
	require.NotRegexp(t, `undone +not`, got.out)
}

// rehearsing writes rehearsedSpec with shorter bakes, and a fleet of two targets in two zones.
func rehearsing(t *testing.T) (path string) {
	path = write(t, "rollout.yaml", strings.ReplaceAll(rehearsedSpec, "24h", "5m"))
	list := "targets: [{id: a, address: a:1, labels: {zone: x}}, {id: b, address: b:1, labels: {zone: y}}]\n"
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "fleet.yaml"), []byte(list), 0o600))
	return path
}

// What cannot be meant is refused with what to write instead.
func TestSimulateRefuses(t *testing.T) {
	path := rehearsing(t)
	for says, args := range map[string][]string{
		`--runs "x" is no number that it takes`:                              {"--runs", "x"},
		`no target of the fleet has these labels, expected some of zone=x|y`: {"--fault", "check errors 5x on zone=z"},
		"the spec has no check \"cpu\", expected one of errors":              {"--fault", "check cpu 3x"},
		"begins only after --limit 1h, expected a time before that":          {"--fault", "errors 5x at 1h", "--limit", "1h"},
	} {
		got := sluice(t, "", append([]string{"simulate", path, "--no-past"}, args...)...)
		require.Equal(t, 2, got.code, says)
		require.Contains(t, got.errOut, says)
		require.Contains(t, got.errOut, "run sluice simulate --help")
	}
}

// The timeline has every phase at its time, each reason once, and the end says what it was.
func TestSimulateTells(t *testing.T) {
	path := rehearsing(t)
	got := sluice(t, "", "simulate", path, "--no-past", "--fault", "errors 30% from 1m")
	require.Zero(t, got.code, got.errOut)
	require.Regexp(t, `(?s)0:00:\d\d  applying: .*baking: .*\d  gate of canary: roll-back, errors FAIL.*\d  rolling-back\n.*verifying-rollback: `, got.out)
	require.Equal(t, 2, strings.Count(got.out, "errors FAIL"), got.out)

	got = sluice(t, "", "simulate", path, "--no-past", "--limit", "7m", "--fault", "crash at 6m59s on zone=y")
	require.Contains(t, got.out, "stopped by --limit after 7m")
	got = sluice(t, "", "simulate", path, "--no-past", "--fault", "crash at 20h")
	require.Contains(t, got.out, `the fault "crash at 20h" never began before the end`)
	got = sluice(t, "", "simulate", path, "--no-past", "--fault", "silent")
	// Its traffic goes on, and nobody can reach it.
	require.Regexp(t, `not back: 1 target, .*\n.*\n.*undone +not .*\n.*exposed +50% .*\n.*bad requests +0 `, got.out)
}

// An outage is played by itself, and says what no check could have seen.
func TestSimulateOutageAlone(t *testing.T) {
	outage := write(t, "outage.yaml", "name: x\ntitle: T\nchange: c\nfaults: [check nosuch 3x]\nfleet: [{count: 20}]\nmitigated: 1m\nover: 1m\n")
	got := sluice(t, "", "simulate", "--outage", outage)
	require.Zero(t, got.code, got.errOut)
	require.Contains(t, got.out, "no signal: ")
	got = sluice(t, "", "simulate", "--outage", outage, "--rate", "3", "--runs", "50")
	require.Equal(t, exitInvalid, got.code)
	require.Contains(t, got.errOut, "leave --runs, --rate out")
}

// Where a rollout cost more bad requests than a push, that is said beside what it cost.
func TestSimulateOutageDearerThanAPush(t *testing.T) {
	text := func(push, gated float64) string {
		ways := []rehearsal.Played{{Way: outages.Push}, {Way: outages.Gated, Result: rollout.PhasePromoted}}
		ways[0].Bad, ways[1].Bad = push, gated
		return strings.Join(replayed{Ways: ways}.text(false), "\n")
	}
	require.Contains(t, text(3000, 4000.4), "note: Sluice cost 4,000 bad requests, more than a push: 3,000. "+
		"Nobody else looks until its rollout has ended, so harm that it misses, or sees late, lasts longer than in the outage")
	for _, gated := range []float64{0, 3000, 3000.4} { // which is shown as the same
		require.NotContains(t, text(3000, gated), "more than a push")
	}
}

// Numbers of JSON are rounded, and a name means one thing.
func TestSimulateJSON(t *testing.T) {
	path := rehearsing(t)
	got := sluice(t, "", "simulate", path, "--no-past", "--fault", "errors 30% from 1m", "--rate", "3.333", "--output", "json")
	require.Zero(t, got.code, got.errOut)
	require.NotRegexp(t, `\.\d{7}`, got.out)
	var one struct {
		Harm      bool     `json:"harm"`
		Condemned []string `json:"condemned"`
		Timeline  []event
		Curve     []struct{ Harmed float64 }
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &one))
	require.True(t, one.Harm)
	require.Equal(t, []string{"errors"}, one.Condemned)
	require.Equal(t, "planning: cutting the fleet into cohorts", one.Timeline[0].Text)
	require.NotEmpty(t, one.Curve)
}

// Many rehearsals say which checks condemned, and which seeds to look at.
func TestSimulateRuns(t *testing.T) {
	path := rehearsing(t)
	got := sluice(t, "", "simulate", path, "--no-past", "--fault", "errors 30% from 1m", "--runs", "3", "--seed", "5")
	require.Contains(t, got.out, "condemned by: errors in 3 runs")
	require.Regexp(t, `the most bad requests: --seed [567] rehearses that run`, got.out)
	require.Empty(t, got.errOut, "progress is for terminals")

	d := distributionOf([]simulated{
		{Seed: 1, Result: "promoted"},
		{Seed: 2, Result: "rolled-back", Condemned: []string{"slow"}},
		{Seed: 3, Result: "rolled-back"},
		{Seed: 4, Result: "holding", Limited: true, NeverBegan: []string{"crash at 2h"}, Score: simulate.Score{Harmed: true, Bad: 7}},
	}, true)
	text := strings.Join(d.text(false), "\n")
	for _, says := range []string{
		"condemned by: slow in 1 run\n", "back since no verdict came in time: 1 run\n", "--seed 2, 3\n", "--seed 4 rehearses that run\n",
		"not taken back: 1 run: --seed 4\n", "when --limit stopped them: 1 run\n", `the fault "crash at 2h" never began in 1 run`,
	} {
		require.Contains(t, text, says)
	}
}

// Whoever stops many rehearsals, or an outage, is told so in a line.
func TestSimulateInterrupted(t *testing.T) {
	path := rehearsing(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outage := write(t, "outage.yaml", "name: x\ntitle: T\nchange: c\nfaults: [errors 2x]\nmitigated: 1m\nover: 1m\n")
	for says, args := range map[string][]string{
		"sluice: interrupted\n": {"--outage", outage}, "sluice: interrupted: 0 of 50 rehearsals were done\n": {path, "--no-past", "--runs", "50"},
	} {
		var out, errOut strings.Builder
		code := run(ctx, append([]string{"sluice", "simulate"}, args...), strings.NewReader(""), &out, &errOut)
		require.Equal(t, exitInternal, code)
		require.Equal(t, says, errOut.String())
	}
}
