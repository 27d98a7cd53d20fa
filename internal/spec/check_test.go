package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// Every form of check, and what each refuses. A bar stands between the problems of one check.
func TestCheckForms(t *testing.T) {
	const (
		counts = `bad: 'sum(increase(b{$exposed}[$window]))', total: 'sum(increase(t{$exposed}[$window]))'`
		fixed  = `bad: 'sum(increase(b{$exposed}[5m]))', total: 'sum(increase(t{$exposed}[5m]))'`
		each   = `each: target, bad: 'sum by (instance) (increase(b{$exposed}[5m]))', total: 'sum by (instance) (increase(t{$exposed}[5m]))'`
		slow   = `slow: {histogram: h, over: 1s}`
		mean   = `value: 'max by (instance) (x{$exposed})', against: control`
	)
	for text, want := range map[string]string{
		// What was right stays right.
		fixed + `, max: 1%`:           ``,
		each + `, max: 1%`:            ``,
		each + `, against: control`:   ``,
		counts + `, against: control`: ``,

		// Each look counts only what is new.
		fixed + `, against: control`:    "bad: does not use $window, so that what is new in each look cannot be told from what was counted before, expected increase(…[$window])|total: does not use $window",
		fixed + `, against: before`:     "bad: does not use $window|total: does not use $window",
		fixed + `, objective: 99%`:      "bad: does not use $window|total: does not use $window",
		counts + `, against: before`:    ``,
		counts + `, against: yesterday`: `against: is "yesterday", expected control or before`,
		each + `, against: before`:      "against: is before, expected control in a check of each target",

		// Exactly one criterion.
		counts:                               "health.checks[0]: has no limit, expected max, against: control or objective",
		counts + `, max: 1%, objective: 99%`: "objective: cannot be combined with max at",
		counts + `, objective: 99%, against: control`:     "objective: cannot be combined with against at",
		counts + `, objective: 99%, worse: 1%`:            "worse: needs against",
		counts + `, objective: 99%, burn: 10`:             ``,
		counts + `, objective: 99%, burn: 1/2`:            `burn: "1/2" is not a finite number`,
		counts + `, objective: 99%, burn: 0`:              "burn: is 0, expected more than 0",
		counts + `, objective: 99%, burn: 100`:            "burn: is 100: with the objective at 12:",
		counts + `, against: control, burn: 2`:            "burn: needs objective: 99.9% in the same check",
		counts + `, objective: 99.9`:                      "objective: is 99.9, which is 9990%, expected less than 100%; did you mean 99.9%?",
		counts + `, objective: 100%`:                      "objective: is 100%, which leaves no room for a single bad event, expected less, or max: 0 instead",
		counts + `, objective: 0`:                         "objective: is 0, expected more than 0%",
		counts + `, objective: often`:                     `objective: "often" is not a finite number`,
		counts + `, against: control, drop: 1%, rise: 1%`: "drop: has no effect in a check with bad and total|rise: has no effect",

		// Groups and strata.
		counts + `, against: control, match: tier, group_by: region.of-it`: ``,
		counts + `, max: 1%, group_by: region`:                             `.group_by: needs against: control in the same check`,
		counts + `, against: before, match: tier`:                          "match: says which targets to compare with, expected against: control beside it",
		counts + `, max: 1%, match: tier`:                                  "match: says which targets to compare with",
		counts + `, against: control, match: "a b"`:                        `match: "a b" is not a label`,
		counts + `, against: control, group_by: ""`:                        `group_by: "" is not a label`,
		counts + `, against: control, group_by: [a, b]`:                    "group_by: is a list, expected text",
		counts + `, against: control, groupBy: a`:                          `unknown field "groupBy" in health.checks[0], did you mean "group_by"?`,
		each + `, against: control, match: tier, group_by: a`:              "group_by: has no effect in a check of each target|match: has no effect in a check of each target",
		each + `, objective: 99%`:                                          "objective: has no effect in a check of each target",
		mean + `, drop: 1%, match: tier`:                                   "match: has no effect in a check of a value against others",

		// The part of the error budget.
		counts + `, against: control, weight: 0`:    "weight: is 0, expected 0.001 to 1000",
		counts + `, against: control, weight: -1`:   "weight: is -1, expected 0.001 to 1000",
		counts + `, against: control, weight: 1e9`:  "weight: is 1e+09, expected 0.001 to 1000",
		counts + `, against: control, weight: 2`:    ``,
		counts + `, max: 1%, weight: 2`:             "weight: has no effect in a check with bad and total",
		limited + `, weight: 0`:                     "weight: has no effect in a check with a value",
		each + `, against: control, weight: 2`:      "weight: has no effect in a check of each target",
		limited + `, advisory: false`:               ``,
		limited + `, advisory: yes`:                 `advisory: is "yes", expected true or false`,
		limited + `, advisory: true`:                "advisory: every check is advisory, so that only alive would decide, expected one that is not",
		limited + `, advisry: true`:                 `unknown field "advisry" in health.checks[0], did you mean "advisory"?`,
		counts + `, against: control, weigth: 2`:    `unknown field "weigth" in health.checks[0], did you mean "weight"?`,
		counts + `, against: control, objectiv: 2%`: `unknown field "objectiv" in health.checks[0], did you mean "objective"?`,

		// Slow requests.
		slow + `, max: 5%`:                                  ``,
		slow + `, objective: 95%, burn: 2`:                  ``,
		slow + `, against: control, worse: 5%, match: tier`: ``,
		slow:                                                         "has no limit, expected max, against: control or objective",
		slow + `, max: 5%, tolerate: 1`:                              "tolerate: has no effect in a check with slow",
		slow + `, max: 5%, each: target`:                             "each: has no effect in a check with slow",
		slow + `, max: 5%, minSamples: 0`:                            "minSamples: is 0, expected 1 to 1000000000",
		slow + `, max: 5%, bad: x`:                                   "has bad and total beside slow, expected one form",
		`slow: {}, max: 5%`:                                          "slow.histogram: is required|slow.over: is required",
		`slow: h, max: 5%`:                                           `slow: is "h", expected a mapping with fields such as histogram, over`,
		`slow: {histogram: h, over: 0s}, max: 5%`:                    "slow.over: is 0s, expected more",
		`slow: {histogram: h, over: -1}, max: 5%`:                    "slow.over: is -1s, expected more",
		`slow: {histogram: h, over: NaN}, max: 5%`:                   `slow.over: "NaN" is not a latency, expected a duration such as 250ms, or seconds such as 0.25`,
		`slow: {histogram: h, ovr: 1s}, max: 5%`:                     `unknown field "ovr" in health.checks[0].slow, did you mean "over"?`,
		`slow: {histogram: "", over: 1s}, max: 5%`:                   "slow.histogram: is empty, expected the name of a metric",
		`slow: {histogram: h_bucket, over: 1s}, max: 5%`:             "slow.histogram: is one of a histogram's series, expected the name of the histogram, h",
		`slow: {histogram: 'h{le="1"}', over: 1s}, max: 5%`:          "slow.histogram: picks buckets by their bound (le)",
		`slow: {histogram: 'rate(h[5m])', over: 1s}, max: 5%`:        "slow.histogram: is not a histogram, expected the name of a metric",
		`slow: {histogram: 'h offset 5m', over: 1s}, max: 5%`:        "slow.histogram: is not a histogram",
		`slow: {histogram: '{a="b"}', over: 1s}, max: 5%`:            "slow.histogram: is not a histogram",
		`slow: {histogram: 'h{a="b"', over: 1s}, max: 5%`:            "slow.histogram: invalid PromQL",
		`slow: {histogram: 'h{$expsed}', over: 1s}, max: 5%`:         "slow.histogram: unknown placeholder $expsed, did you mean $exposed?",
		`slow: {histogram: 'h[$window]', over: 1s}, max: 5%`:         "slow.histogram: the expression gives a range vector",
		`slow: {histogram: 'rate(h[$window])', over: 1s}, max: 5%`:   "slow.histogram: has $window, expected the histogram alone",
		`slow: {histogram: 'h{$control}', over: 1s}, max: 5%`:        "slow.histogram: asks about $control, expected $exposed, $cohort or neither",
		`slow: {histogram: 'h{$cohort,$exposed}', over: 1}, max: 5%`: "slow.histogram: asks about $exposed and $cohort, expected one of them",

		// Means.
		mean + `, drop: 20%`:                ``,
		mean + `, rise: 20%, minSamples: 5`: ``,
		mean:                                "has no limit, expected drop or rise",
		mean + `, drop: 20`:                 "drop: is 20, which is 2000%, expected at most 99%: nothing falls by more than all of it; did you mean 20%?",
		mean + `, drop: 100%`:               "drop: is 1, which is 100%, expected at most 99%",
		mean + `, drop: -1%`:                "drop: is -0.01, expected at least 0",
		mean + `, rise: 11`:                 "rise: is 11, which is 1100%, expected at most 1000%",
		mean + `, drop: 1%, max: 5`:         "max: has no effect in a check of a value against others",
		mean + `, drop: 1%, tolerate: 5`:    "tolerate: has no effect in a check of a value against others",
		mean + `, drop: 1%, worse: 5%`:      "worse: has no effect in a check of a value against others",
		mean + `, drop: 1%, each: target`:   "each: has no effect in a check of a value against others",
		limited + `, drop: 1%`:              "drop: needs against: control in the same check",
		`value: 'max(x{$exposed})', against: control, drop: 1%`: "value: the aggregation max drops the label",

		// What must have happened.
		`exercise: {count: 'sum(increase(x{$exposed}[$window]))', min: 5}`:                   ``,
		limited + `, exercise: {count: 'sum(increase(x{$exposed}[$window]))', min: 5}`:       ``,
		each + `, max: 1%, exercise: {count: 'sum(increase(x{$exposed}[$window]))', min: 5}`: ``,
		`probe: {tcp: "{{address}}"}, exercise: {count: 'x{$exposed}', min: 5}`:              "exercise.count: does not use $window",
		`exercise: {count: 'sum(increase(x{$exposed}[$window]))', min: 5}, max: 5%`:          "max: has no effect in a check with exercise alone",
		`exercise: {count: 'sum(increase(x{$exposed}[$window]))', min: 0}`:                   "exercise.min: is 0, expected 1 to 1000000000",
		`exercise: {count: 'sum(increase(x[$window]))', min: 1}`:                             "exercise.count: asks about all targets of the fleet",
		`exercise: {count: 'sum(increase(x{$exposed}[$window])', min: 1}`:                    "exercise.count: invalid PromQL: unclosed left parenthesis",
		`exercise: {}`:                 "exercise.count: is required|exercise.min: is required",
		`exercise: {cuont: x, min: 1}`: `unknown field "cuont" in health.checks[0].exercise, did you mean "count"?`,
		`exercise: 5`:                  `exercise: is "5", expected a mapping with fields such as count, min`,
		`advisory: false`:              "has no form, expected value with max, min or against",
		`webhook: {url: "http://x"}, weight: 2, slow: {histogram: h, over: 1s}`: "slow: has no effect in a check with webhook|weight: has no effect in a check with webhook",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := parseJudged("5m", "every: 15s", text)
			if want == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			got := strings.Split(err.Error(), "\n")
			parts := strings.Split(want, "|")
			require.Len(t, got, len(parts), "one mistake, one problem: %s", err)
			for _, part := range parts {
				require.ErrorContains(t, err, part)
			}
			for _, line := range got {
				require.Regexp(t, `^f\.yaml:12:\d+: `, line)
			}
		})
	}
}

// A check that needs a source is not without one because it asks somebody else, too.
func TestExerciseNeedsSource(t *testing.T) {
	text := func(source string) []byte {
		return []byte(`unit: a
release: "2"
fleet: f
driver: {http: {}}
stages: [{name: a, reach: 100%, bake: 1m}]
health: {` + source + ` without: [traffic], checks: [{name: e, probe: {tcp: "{{address}}"}, exercise: {count: jobs_total, min: 1}}]}
`)
	}
	_, err := parse("f.yaml", text(""))
	require.EqualError(t, err, "f.yaml:6:9: health: has no source, expected prometheus: http://host:9090 or scrape: {}")
	doc, err := parse("f.yaml", text("scrape: {},"))
	require.NoError(t, err)
	require.False(t, doc.Spec.Health.Sourceless())
}

// With a scrape a histogram is a plain selector.
func TestScrapedHistogram(t *testing.T) {
	for text, want := range map[string]string{
		`h`:                "",
		`'h{a=~"b"}'`:      "",
		`'h{$exposed}'`:    "$exposed is a placeholder, expected none",
		`h_count`:          "is one of a histogram's series, expected the name of the histogram, h",
		`sum(h)`:           "this is the aggregation sum, expected a metric with label matchers",
		`'{__name__="h"}'`: "is not a histogram",
	} {
		doc, err := parse("f.yaml", []byte(`unit: a
release: "2"
fleet: f
driver: {http: {}}
stages: [{name: a, reach: 100%, bake: 1m}]
health: {scrape: {}, without: [traffic], checks: [{name: e, slow: {histogram: `+text+`, over: 1s}, max: 1%}]}
`))
		if want == "" {
			require.NoError(t, err, text)
			require.Equal(t, strings.Trim(text, "'"), doc.Spec.Health.Checks[0].Slow.Histogram)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
}

// A histogram that names no arm is one of the exposed targets.
func TestHistogramSeries(t *testing.T) {
	for text, want := range map[string]string{
		`h`:                      `h_bucket{$exposed}`,
		`h{}`:                    `h_bucket{$exposed}`,
		`h { }`:                  `h_bucket{$exposed}`,
		`h{a="b"}`:               `h_bucket{$exposed,a="b"}`,
		`h{a="}",}`:              `h_bucket{$exposed,a="}",}`,
		`h{a="b",$cohort}`:       `h_bucket{a="b",$cohort}`,
		`job:h:sum{$exposed}`:    `job:h:sum_bucket{$exposed}`,
		`h{release="$release"}`:  `h_bucket{$exposed,release="$release"}`,
		`h{a="$exposed of it",}`: ``,
	} {
		doc, err := parseJudged("5m", "every: 15s", `slow: {histogram: '`+text+`', over: 250ms}, max: 1%`)
		if want == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		got := doc.Spec.Health.Checks[0].Slow
		require.Equal(t, want, spec.HistogramSeries(got.Histogram, "_bucket"), text)
		require.InDelta(t, 0.25, float64(got.Over), 0)
	}
	require.Empty(t, spec.HistogramSeries("sum(h)", "_bucket"))
}

func TestCounts(t *testing.T) {
	require.True(t, spec.Check{Total: "t"}.Counts())
	require.True(t, spec.Check{Slow: &spec.Slow{}}.Counts())
	require.False(t, spec.Check{Value: "x"}.Counts())
}

// Bad events of a minute are no share of all events of five.
func TestRangesOfBadAndTotal(t *testing.T) {
	for ranges, says := range map[[2]string]string{
		{"$window", "$window"}: "",
		{"5m", "300s"}:         "",
		{"1m", "$window"}:      "health.checks[0].bad: counts over 1m, and total over $window, expected the same range in both, such as [$window]",
		{"$window", "5m"}:      "counts over $window, and total over 5m",
	} {
		text := fmt.Sprintf("unit: edge\nrelease: '2'\nfleet: f.yaml\ndriver: {http: {}}\n"+
			"stages: [{name: all, reach: 100%%, bake: 2m}]\nhealth:\n  prometheus: http://p:9090\n"+
			"  checks: [{name: e, max: 1%%, bad: 'sum(increase(b{$exposed}[%s]))', total: 'sum(increase(t{$exposed}[%s]))'}]\n", ranges[0], ranges[1])
		_, err := spec.Parse("f.yaml", []byte(text), kinds)
		if says == "" {
			require.NoError(t, err, ranges)
			continue
		}
		require.ErrorContains(t, err, says)
	}
}

// How fast events come is no count of them, whatever it is held against.
func TestRatesAreNoCounts(t *testing.T) {
	const up = "sum(increase(x{$exposed}[$window]))"
	for what, lines := range map[string]string{
		"checks[0].bad":   "checks: [{name: e, bad: 'sum(rate(x{$exposed}[1m]))', total: '" + up + "', max: 1%}]",
		"checks[0].total": "checks: [{name: e, bad: '" + up + "', total: 'sum(irate(x{$exposed}[1m]))', max: 1%}]",
		"traffic":         "traffic: 'sum(rate(x{$exposed}[1m]))'\n  checks: [{name: v, value: 'max(x{$exposed})', max: 1}]",
		"checks[0].bad: ": "checks: [{name: e, each: target, bad: 'sum by (instance) (rate(x{$exposed}[1m]))', total: 'sum by (instance) (increase(x{$exposed}[1m]))', max: 1%}]",
	} {
		text := "unit: edge\nrelease: '2'\nfleet: f.yaml\ndriver: {http: {}}\n" +
			"stages: [{name: all, reach: 100%, bake: 2m}]\nhealth:\n  prometheus: http://p:9090\n  " + lines + "\n"
		_, err := spec.Parse("f.yaml", []byte(text), kinds)
		require.ErrorContains(t, err, "health."+what, lines)
		require.ErrorContains(t, err, "does not count events, expected increase", lines)
	}
}

// A share of bad events above 100% there is not, and of bad events that are all events no other.
func TestChecksThatCouldNeverFail(t *testing.T) {
	for check, says := range map[string]string{
		"bad: b, total: t, max: 100%":                              "checks[0].max: is 100%, which no share of bad events is above: the check could never fail, expected less",
		"slow: {histogram: h, over: 1s}, max: 100%":                "checks[0].max: is 100%, which no share of bad events is above",
		"bad: b, total: t, max: 100%, each: target":                "checks[0].max: is 100%, which no share of bad events is above",
		"bad: t, total: t, max: 1%":                                "checks[0].bad: is the same as total: every event would be bad, expected a query of the bad ones",
		"bad: 't{a=\"1\"}', total: 't{a=\"1\"} ', against: before": "checks[0].bad: is the same as total",
		"bad: b, total: t, max: 99%":                               "",
		"bad: b, total: t, against: before":                        "",
	} {
		text := "unit: edge\nrelease: '2'\nfleet: f.yaml\ndriver: {http: {}}\n" +
			"stages: [{name: all, reach: 100%, bake: 2m}]\nhealth:\n  scrape: {}\n  without: [traffic]\n" +
			"  checks: [{name: e, " + check + "}]\n"
		_, err := spec.Parse("f.yaml", []byte(text), kinds)
		if says == "" {
			require.NoError(t, err, check)
			continue
		}
		require.ErrorContains(t, err, "health."+says, check)
	}
}
