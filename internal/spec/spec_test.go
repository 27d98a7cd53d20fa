package spec_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// kinds are those of this build.
var kinds = catalog.New().Kinds()

func parse(file string, data []byte) (*spec.Document, error) { return spec.Parse(file, data, kinds) }

// TestInvalid compares the problems of every file in testdata/invalid with the golden file beside
// it. A new case is a new file; -update writes its golden.
func TestInvalid(t *testing.T) {
	for name, data := range cases(t, "testdata/invalid") {
		t.Run(name, func(t *testing.T) {
			doc, err := parse(name+".yaml", data)
			require.Nil(t, doc)
			var problems strictyaml.Problems
			require.ErrorAs(t, err, &problems)
			require.NotContains(t, err.Error(), "hunter2", "no secret is ever repeated")
			golden(t, filepath.Join("testdata/invalid", name+".golden"), err.Error()+"\n")
		})
	}
}

// TestValid compares what every file in testdata/valid means, with its defaults filled in, with the
// golden file beside it.
func TestValid(t *testing.T) {
	for name, data := range cases(t, "testdata/valid") {
		t.Run(name, func(t *testing.T) {
			doc, err := parse(name+".yaml", data)
			require.NoError(t, err)
			got, err := json.MarshalIndent(doc.Spec, "", "  ")
			require.NoError(t, err)
			golden(t, filepath.Join("testdata/valid", name+".golden"), string(got)+"\n")

			var back spec.Spec
			require.NoError(t, json.Unmarshal(got, &back))
			require.Equal(t, doc.Spec, back, "a spec survives the journey as JSON")
		})
	}
}

func cases(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	found := map[string][]byte{}
	for _, file := range files {
		found[strings.TrimSuffix(filepath.Base(file), ".yaml")] = read(t, file)
	}
	return found
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err, "run with -update to write a golden file")
	return data
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	require.Equal(t, string(read(t, file)), got)
}

// TestChanges changes one thing at a time in a valid spec.
func TestChanges(t *testing.T) {
	base := string(read(t, "testdata/valid/prometheus.yaml"))
	for _, tc := range []struct{ old, new, want string }{
		{"release: 1.10", "release: -v", `2:10: release: "-v" is not a release`},
		{"release: 1.10", "release: \"a\\nb\"", `"a\nb" is not a release`},
		{"release: 1.10", "release: \"1; rm -rf / $(id)\"", "is not a release"},
		{"release: 1.10", "release: " + strings.Repeat("x", 129), "is not a release"},
		{"release: 1.10", "", "1:1: release: is required"},
		{"unit: edge-proxy", "unit: Edge", `1:7: unit: "Edge" is not a unit`},
		{"unit: edge-proxy", "unit: \"\\e[31m\"", `unit: "\x1b[31m" is not a unit`},
		{"count: 3", "count: -3", "is -3, expected at least 1"},
		{"reach: 5%", "reach: 0", `"0" exposes no target`},
		{"reach: 5%", "reach: 101%", `"101%" is not a share of the fleet`},
		{"reach: 5%", "reach: lots", `"lots" is not a reach`},
		{"bake: 5m", "bake: 5", `"5" has no unit, expected a duration such as 5s or 5m`},
		{"bake: 5m", "bake: -5m", `"-5m" is negative`},
		{"bake: 5m", "bake: 9223372036855h", `"9223372036855h" is too long, expected at most 8760h`},
		{"bake: 5m", "bake: 8761h", "is too long"},
		{"bake: 5m", "bake: 0", `"0" has no unit`},
		{"bake: 5m", "bake: 0s", "is 0s, expected more"},
		{"bake: 5m", "bake: 1s", "expected at least 15s, the time between two looks"},
		{"bake: 5m", "bake: 40s, decideWithin: 30s", "is 30s, which no release can pass: with the bake that is 1m10s, and the check traffic needs"},
		{"bake: 15m", "bake: 15m, approveWithin: 4h", "has no effect in a stage without approval: remove it"},
		{"bake: 15m", "bake: 15m, approval: required, approveWithin: 0s", "is 0s, expected more"},
		{"bake: 5m", "bake: 30s", "expected more than health.warmup (30s"},
		{"max: 0.4", "max: .nan", `".nan" is not a finite number`},
		{"max: 0.4", "max: 0.4\n      min: 1", "is 0.4, which is less than min, 1 at"},
		{"worse: 20%", "worse: 20", "did you mean 20%?"},
		{"worse: 20%", "worse: -1", "expected at least 0"},
		{"token: ${env:TOKEN}", "token: hunter2", "is not a reference to a secret"},
		{"token: ${env:TOKEN}", "url: ftp://{{address}}", "begins with http:// or https://"},
		{"token: ${env:TOKEN}", "url: http://me:hunter2@{{address}}/", "has a user or a password"},
		{"token: ${env:TOKEN}", "url: http://{{adress}}/", "did you mean {{address}}?"},
		{"token: ${env:TOKEN}", "url: http://{{address}}/release", "is the same for every unit"},
		{"token: ${env:TOKEN}", "url: http://gateway/{{unit}}", "is the same for every target"},
		{"token: ${env:TOKEN}", "timeout: 0s", "is 0s, expected more"},
		{"prometheus: http://prometheus:9090", "prometheus: http://a:hunter2@b", "has a user or a password"},
		{"prometheus: http://prometheus:9090", "prometheus: http://b?x=y", "has a query (?)"},
		{"prometheus: http://prometheus:9090", "prometheus: prometheus:9090", "begins with http:// or https://"},
		{"prometheus: http://prometheus:9090", "prometheus: \"http://\"", "is not a URL"},
		{"tolerate: 2", "tolerate: 41", "is 41: with a look every 15s (health.every) that tolerates a breach for 10m15s, expected at most 40"},
		{"tolerate: 2", "each: target", "the aggregation sum drops the label"},
		{"tolerate: 2", "tolerate: 2\n    - {name: both, each: target, max: 1, value: 'a{$exposed} / b{$cohort}'}", "asks about $exposed and $cohort, expected one of them"},
		{"tolerate: 2", "outliers: 2", "needs each: target"},
		{"tolerate: 2", "minSamples: 5", "has no effect in a check with a value"},
		{"against: control", "against: befor", `is "befor", expected control or before, did you mean before?`},
		{"against: control", "max: 5%", "needs against"},
		{"name: p99", "name: errors", "is the name of the check at"},
		{"name: p99", "name: alive", "always on"},
		{"batch: 100", "batch: 0", "is 0, expected 1 to 4000"},
		{"batch: 100", "batch: 10000", "apply.batch: is 10000, expected 1 to 4000"},
	} {
		text := strings.Replace(base, tc.old, tc.new, 1)
		require.NotEqual(t, base, text, tc.old)
		_, err := parse("f.yaml", []byte(text))
		require.ErrorContains(t, err, tc.want, tc.new)
		require.NotContains(t, err.Error(), "hunter2")
		require.Len(t, strings.Split(err.Error(), "\n"), 1, "one mistake, one problem: %s", err)
	}
}

// TestHostile asserts that no input takes long or is taken for a spec.
func TestHostile(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"deep":  {"stages: " + strings.Repeat("[", 20_000), "nested more than 100 deep"},
		"large": {strings.Repeat("#", 10<<20), "the file has 10 MiB, expected at most 1 MiB"},
		"NUL":   {"unit: a\x00", "f.yaml:1:8: the file holds a NUL byte"},
		"UTF-8": {"unit: \xc3\x28", "f.yaml:1:7: the byte 0xc3 is not valid UTF-8"},
		"many":  {"stages: [" + strings.Repeat("{},", 300_000) + "]", "stages: has 300000 stages"},
		"query": {"health: {prometheus: \"http://x\", checks: [{name: a, value: \"" + strings.Repeat("(", 900_000) + "\"}]}", "expected at most 16384"},
	} {
		start := time.Now()
		_, err := parse("f.yaml", []byte(tc.text))
		require.ErrorContains(t, err, tc.want, name)
		t.Logf("%s: %s", name, time.Since(start))
	}
}

func TestWindowsFile(t *testing.T) {
	text := "\uFEFF" + strings.ReplaceAll(string(read(t, "testdata/valid/prometheus.yaml")), "\n", "\r\n")
	doc, err := parse("f.yaml", []byte(text))
	require.NoError(t, err)
	require.Equal(t, "1.10", doc.Spec.Release)
}

func TestDocumentProblem(t *testing.T) {
	doc, err := parse("f.yaml", read(t, "testdata/valid/prometheus.yaml"))
	require.NoError(t, err)
	require.Equal(t, "f.yaml:2:10: release: no such \\x1b", doc.Problem("release", "no such \x1b").Error())
	require.Contains(t, doc.Problem("stages[1].reach", "x").Error(), "stages[1].reach: x")
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*valid/*.yaml")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parse("f.yaml", data)
		if err != nil {
			require.Nil(t, doc)
			for line := range strings.Lines(err.Error()) {
				require.Equal(t, terminal.Safe(strings.TrimSuffix(line, "\n")), strings.TrimSuffix(line, "\n"), "a terminal acts on it")
			}
			return
		}
		text, err := json.Marshal(doc.Spec)
		require.NoError(t, err)
		var back spec.Spec
		require.NoError(t, json.Unmarshal(text, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again), "a spec survives the journey as JSON")
		s := doc.Spec
		last := s.Stages[len(s.Stages)-1]
		require.NotEmpty(t, s.Unit)
		require.True(t, s.Release != "" || s.Bundle != "" || s.Parts != nil)
		require.NotEmpty(t, s.Health.Checks)
		require.Contains(t, []string{"http", "exec", "agent", ""}, s.Driver.Name)
		require.Equal(t, s.Driver.Name == "", s.Parts != nil)
		for _, p := range s.Parts {
			require.NotEmpty(t, p.Driver.Name)
		}
		require.True(t, s.Health.Source.Name != "" || s.Health.Sourceless())
		require.InDelta(t, 100, last.Reach.Percent, 0)
		for _, st := range s.Stages {
			require.GreaterOrEqual(t, st.Bake, s.Health.Every)
			if a := st.Adaptive; a != nil {
				require.True(t, a.Min > s.Health.Warmup && a.Min <= st.Bake && a.Enough > 1 && a.Risk > 0 && a.Risk <= 0.5)
			}
			require.Positive(t, st.DecideWithin)
		}
		for _, c := range s.Health.Checks {
			forms := 0
			for _, given := range []bool{c.External(), c.Value != "", c.Total != "", c.Slow != nil} {
				if given {
					forms++
				}
			}
			require.True(t, forms == 1 || forms == 0 && c.Exercise != nil)
			require.Equal(t, c.Bad == "", c.Total == "")
			if c.External() || forms == 0 {
				require.False(t, c.Budgeted())
				continue
			}
			require.True(t, c.Max != nil || c.Min != nil || c.Against != "" || c.Objective != nil)
			require.Equal(t, c.Budgeted(), c.Weight > 0)
			budget := s.Health.Budget(c.Name, len(s.Stages))
			require.Equal(t, c.Budgeted(), budget > 0)
			require.LessOrEqual(t, budget, float64(s.Health.FalseRollbackRate))
		}
	})
}
