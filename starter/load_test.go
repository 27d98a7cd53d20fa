package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// TestValidateGolden validates every spec of testdata/specs.
func TestValidateGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/specs/*.yaml")
	require.NoError(t, err)
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".yaml")
		if strings.HasSuffix(name, "fleet") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := sluice(t, "", "validate", f)
			golden(t, "validate-"+name, []string{strings.TrimSuffix(r.out+r.errOut, "\n")})
			want := exitInvalid
			if name == "good" {
				want = exitOK
			}
			require.Equal(t, want, r.code)
			for _, command := range []string{"validate", "plan", "start"} {
				if want == exitInvalid {
					oneFailure(t, want, sluice(t, "", command, f, "--output", "json"))
				}
			}
		})
	}
}

func TestPlanGolden(t *testing.T) {
	r := sluice(t, "", "plan", "--targets", "testdata/specs/good.yaml")
	require.Equal(t, exitOK, r.code, r.errOut)
	golden(t, "plan-good", []string{strings.TrimSuffix(r.out, "\n")})
	r = sluice(t, "", "plan", "testdata/specs/good.yaml", "--output", "json")
	require.Equal(t, exitOK, r.code, r.errOut)
	golden(t, "plan-good-json", []string{strings.TrimSuffix(r.out, "\n")})
	var p planned
	require.NoError(t, json.Unmarshal([]byte(r.out), &p))
	all := map[string]bool{}
	for _, s := range p.Stages {
		require.Len(t, s.Targets, s.New)
		for _, id := range s.Targets {
			all[id] = true
		}
	}
	require.Len(t, all, p.Targets)
}

// A guard is shown, and nobody looks after it.
func TestPlanShowsTheGuard(t *testing.T) {
	data, err := os.ReadFile("testdata/specs/good.yaml")
	require.NoError(t, err)
	fleet, err := filepath.Abs("testdata/specs/fleet.yaml")
	require.NoError(t, err)
	text := "guard: 24h\ndrill: {command: [fire, \"{{id}}\"], on: every}\nactivates: [features]\nonRegression: both\n" +
		strings.Replace(string(data), "fleet: fleet.yaml", "fleet: "+fleet, 1)
	r := sluice(t, text, "plan", "-", "--no-predict")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "\ndrill: fire {{id}}, on each target of every stage before its bake; harm if it fails\n")
	require.Contains(t, r.out, "\nactivates: features; what of them is guarded goes back with this release\n")
	require.Contains(t, r.out, "\nguard: 24h after the last stage; harm takes the release back all the while\n")
	require.Contains(t, r.out, "later than 24h30m after the last stage was applied")
	r = sluice(t, text, "plan", "-", "--no-predict", "--output", "json")
	var p planned
	require.NoError(t, json.Unmarshal([]byte(r.out), &p))
	require.Equal(t, 24*time.Hour, p.Guard.Std())
	require.NotContains(t, sluice(t, "", "plan", "testdata/specs/good.yaml", "--output", "json").out, "guard")
}

// A drill that a target's labels cannot fill is refused where it stands in the spec, before
// anything is started.
func TestDrillThatCannotBeRun(t *testing.T) {
	data, err := os.ReadFile("testdata/specs/good.yaml")
	require.NoError(t, err)
	fleet, err := filepath.Abs("testdata/specs/fleet.yaml")
	require.NoError(t, err)
	text := `drill: {command: [/bin/true, "{{label.nope}}"]}` + "\n" + strings.Replace(string(data), "fleet: fleet.yaml", "fleet: "+fleet, 1)
	for _, command := range []string{"validate", "plan", "start"} {
		r := sluice(t, text, command, "-")
		require.Equal(t, exitInvalid, r.code, command)
		require.Contains(t, r.errOut, `:1:30: drill.command[1]: cannot be run for ams-02: `+
			`target "ams-02" has no label "nope", which {{label.nope}} asks for`, command)
	}
}

// A source without a past is read before each stage, and that takes time.
func TestPlanCountsTheMeasuring(t *testing.T) {
	data, err := os.ReadFile("testdata/specs/good.yaml")
	require.NoError(t, err)
	fleet, err := filepath.Abs("testdata/specs/fleet.yaml")
	require.NoError(t, err)
	for source, want := range map[string]string{
		"prometheus: http://prometheus.example:9090": "at most 1h40m\n",
		"scrape: {}":              "at most 1h43m45s\n", // as long as checks that compare need
		"scrape: {baseline: 40s}": "at most 1h42m\n",
	} {
		text := strings.Replace(string(data), "fleet: fleet.yaml", "fleet: "+fleet, 1)
		text = regexp.MustCompile(`prometheus: .*`).ReplaceAllString(text, source)
		if strings.HasPrefix(source, "scrape") {
			text = regexp.MustCompile(`sum\(increase\((.*),?\$cohort}\[\$window]\)\)`).ReplaceAllString(text, "$1}")
		}
		r := sluice(t, text, "plan", "-", "--no-predict")
		require.Equal(t, exitOK, r.code, r.errOut)
		require.Contains(t, r.out, want, source)
		require.Equal(t, strings.HasPrefix(source, "scrape"), strings.Contains(r.out, "of measuring before each stage"))
	}
}

func TestSpecFromStandardInput(t *testing.T) {
	data, err := os.ReadFile("testdata/specs/good.yaml")
	require.NoError(t, err)
	fleet, err := filepath.Abs("testdata/specs/fleet.yaml")
	require.NoError(t, err)
	text := strings.Replace(string(data), "fleet: fleet.yaml", "fleet: "+fleet, 1)
	r := sluice(t, text, "validate", "-")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, "ok: edge-proxy 1.10, 8 targets in 3 stages, 1 check\n", r.out)

	r = sluice(t, string(data), "validate", "-")
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, stdinName+":3:", "the fleet file is looked for in the current folder")

	t.Chdir("testdata/specs")
	require.Equal(t, exitOK, sluice(t, string(data), "validate", "-").code)
}

func TestProblemsInJSONHavePositions(t *testing.T) {
	r := sluice(t, "", "validate", "-o", "json", "testdata/specs/mistakes.yaml")
	var f failure
	require.NoError(t, json.Unmarshal([]byte(r.out), &f))
	require.GreaterOrEqual(t, len(f.Problems), 5)
	for _, p := range f.Problems {
		require.Equal(t, "testdata/specs/mistakes.yaml", p.File)
		require.Positive(t, p.Line)
		require.Positive(t, p.Column)
	}
}

func TestSpecThatIsTooLarge(t *testing.T) {
	r := sluice(t, strings.Repeat("#", spec.MaxBytes+1), "validate", "-")
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "more than 1048576 bytes")
}
