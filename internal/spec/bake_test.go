package spec_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/spec"
)

// parseJudged parses a spec with one bake, one more line of health, and one check.
func parseJudged(bake, health, check string) (*spec.Document, error) {
	return parse("f.yaml", fmt.Appendf(nil, `unit: a
release: "2"
fleet: f
driver: {http: {}}
stages: [{name: a, reach: 100%%, bake: %s}]
health:
  prometheus: http://p:9090
  without: [traffic]
  warmup: 30s
  %s
  checks:
    - {name: e, %s}
`, bake, health, check))
}

const limited = `value: 'max(x{$exposed})', max: 1`

// A bake is a duration as ever, or one that may end early.
func TestBake(t *testing.T) {
	minute := spec.Duration(time.Minute)
	for text, want := range map[string]spec.Stage{
		"5m":                       {Bake: 5 * minute},
		"{max: 30m, enough: 2x}":   {Bake: 30 * minute, Adaptive: &spec.Adaptive{Min: spec.Duration(45 * time.Second), Enough: 2, Risk: 0.05}},
		"{max: 40s, enough: 2}":    {Bake: spec.Duration(40 * time.Second), Adaptive: &spec.Adaptive{Min: spec.Duration(40 * time.Second), Enough: 2, Risk: 0.05}},
		"{max: 3m, enough: 100 x}": {Bake: 3 * minute, Adaptive: &spec.Adaptive{Min: spec.Duration(45 * time.Second), Enough: 100, Risk: 0.05}},
		"{min: 2m, max: 2m, enough: 1.5x, risk: 50%}": {Bake: 2 * minute, Adaptive: &spec.Adaptive{Min: 2 * minute, Enough: 1.5, Risk: 0.5}},
	} {
		doc, err := parseJudged(text, "every: 15s", limited)
		require.NoError(t, err, text)
		got := doc.Spec.Stages[0]
		require.Equal(t, want.Bake, got.Bake, text)
		require.Equal(t, want.Adaptive, got.Adaptive, text)
		require.Equal(t, max(got.Bake, minute), got.DecideWithin, text)
		require.Zero(t, got.Written, text)

		data, err := json.Marshal(got)
		require.NoError(t, err)
		var back spec.Stage
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, got, back, "a stage survives the journey as JSON")
	}
}

// What a stage was in recorded histories it is still.
func TestBakeOfBefore(t *testing.T) {
	var s spec.Stage
	require.NoError(t, json.Unmarshal([]byte(`{"name":"a","bake":"5m","decideWithin":"5m","undecided":"rollback"}`), &s))
	require.Equal(t, spec.Duration(5*time.Minute), s.Bake)
	require.Nil(t, s.Adaptive)
}

func TestBakeRefuses(t *testing.T) {
	const at = "f.yaml:5:39: stages[0].bake"
	for text, want := range map[string]string{
		"5":                                    at + `: "5" has no unit, expected a duration such as 5s or 5m`,
		"[5m]":                                 at + `: is a list, expected a bake time`,
		"":                                     at + `: has no value, expected a bake time`,
		"1s":                                   at + `: is 1s, expected at least 15s, the time between two looks (health.every)`,
		"30s":                                  at + `: is 30s, expected more than health.warmup (30s, at 9:11): samples of the warm-up do not count`,
		"{}":                                   at + ".max: is required\n" + at + ".enough: is required",
		"{max: 30m}":                           at + ".enough: is required",
		"{min: 1m, enough: 2x}":                at + ".max: is required",
		"{max: 30m, enugh: 2x}":                `f.yaml:5:50: unknown field "enugh" in stages[0].bake, did you mean "enough"?`,
		"{max: 0s, enough: 2x}":                `f.yaml:5:45: stages[0].bake.max: is 0s, expected more: a stage that is not watched proves nothing`,
		"{max: 5, enough: 2x}":                 `f.yaml:5:45: stages[0].bake.max: "5" has no unit, expected a duration such as 5s or 5m`,
		"{min: 3m, max: 2m, enough: 2x}":       `f.yaml:5:45: stages[0].bake.min: is 3m, expected at most max, 2m at 5:54`,
		"{min: 10s, max: 2m, enough: 2x}":      `f.yaml:5:45: stages[0].bake.min: is 10s, expected at least 15s, the time between two looks (health.every)`,
		"{min: 20s, max: 2m, enough: 2x}":      `f.yaml:5:45: stages[0].bake.min: is 20s, expected more than health.warmup (30s, at 9:11): samples of the warm-up do not count`,
		"{max: 30m, enough: 1x}":               `f.yaml:5:58: stages[0].bake.enough: is 1x, expected more than 1x and at most 100x, such as 2x: not worse than twice what it is compared with`,
		"{max: 30m, enough: 101}":              `f.yaml:5:58: stages[0].bake.enough: is 101x, expected more than 1x and at most 100x, such as 2x: not worse than twice what it is compared with`,
		"{max: 30m, enough: 50%}":              `f.yaml:5:58: stages[0].bake.enough: "50%" is not a ratio, expected one such as 2x`,
		"{max: 30m, enough: infx}":             `f.yaml:5:58: stages[0].bake.enough: "infx" is not a ratio, expected one such as 2x`,
		"{max: 30m, enough: 2x, risk: 0}":      `f.yaml:5:68: stages[0].bake.risk: is 0, expected more than 0%: nothing that is measured is certain`,
		"{max: 30m, enough: 2x, risk: -1%}":    `f.yaml:5:68: stages[0].bake.risk: is -0.01, expected more than 0%: nothing that is measured is certain`,
		"{max: 30m, enough: 2x, risk: 5}":      `f.yaml:5:68: stages[0].bake.risk: is 5, which is 500%, expected at most 50%: a coin would do as well; did you mean 5%?`,
		"{max: 30m, enough: 2x, risk: 51%}":    `f.yaml:5:68: stages[0].bake.risk: is 0.51, which is 51%, expected at most 50%: a coin would do as well`,
		"{max: 30m, enough: 2x, risk: likely}": `f.yaml:5:68: stages[0].bake.risk: "likely" is not a finite number or a percentage, expected one such as 0.4 or 20%`,
	} {
		_, err := parseJudged(text, "every: 15s", limited)
		require.EqualError(t, err, want, text)
	}
}

func TestFalseRollbackRate(t *testing.T) {
	for text, want := range map[string]any{
		"every: 15s":                 spec.Number(0.001),
		"falseRollbackRate: 5%":      spec.Number(0.05),
		"falseRollbackRate: 0.00001": spec.Number(0.00001),
		"falseRollbackRate: 50%":     spec.Number(0.5),
		"falseRollbackRate: 0":       "f.yaml:10:22: health.falseRollbackRate: is 0, expected more than 0%: nothing that is measured is certain",
		"falseRollbackRate: -5%":     "f.yaml:10:22: health.falseRollbackRate: is -0.05, expected more than 0%: nothing that is measured is certain",
		"falseRollbackRate: 1":       "f.yaml:10:22: health.falseRollbackRate: is 1, which is 100%, expected at most 50%: more than every other good release would be rolled back; did you mean 1%?",
		"falseRollbackrate: 1":       `f.yaml:10:3: unknown field "falseRollbackrate" in health, did you mean "falseRollbackRate"?`,
	} {
		doc, err := parseJudged("5m", text, limited)
		if rate, ok := want.(spec.Number); ok {
			require.NoError(t, err, text)
			require.InDelta(t, float64(rate), float64(doc.Spec.Health.FalseRollbackRate), 1e-15, text)
			continue
		}
		require.EqualError(t, err, want.(string), text)
	}
}

// A ratio is read back as it is shown.
func TestRatio(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := spec.Ratio(rapid.Float64().Draw(t, "ratio"))
		var back spec.Ratio
		require.NoError(t, back.UnmarshalText([]byte(r.String())))
		require.InDelta(t, float64(r), float64(back), 0)
	})
}

// A check has time to pass again after a rollback, however long targets warm up.
func TestTimeToRecover(t *testing.T) {
	for health, want := range map[string]time.Duration{
		"": time.Minute, "every: 5s": time.Minute, "every: 30s": 2 * time.Minute, "warmup: 1m": 2 * time.Minute, "warmup: 2m\n  every: 1m": 6 * time.Minute,
		"every: 5m": 10 * time.Minute,
	} {
		doc, err := parse("f.yaml", []byte(`unit: edge
release: "1"
fleet: {file: fleet.yaml}
driver: {http: {}}
stages: [{name: all, reach: 100%, bake: 1h}]
health:
  scrape: {}
  checks: [{name: errors, bad: e, total: t, max: 1%}]
  `+health+"\n"))
		require.NoError(t, err)
		require.Equal(t, want, doc.Spec.Rollback.Recover.Std(), health)
	}
}
