package plan_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestBlind(t *testing.T) {
	const (
		host    = "one target with errors among many"
		rise    = "more failed requests than before, up to 1% of all"
		fails   = "requests that fail: no check has bad and total"
		taken   = "a program that takes connections and answers nobody"
		latency = "answers that are right and slow"
		dead    = "a program that is alive and answers nobody"
		silent  = "requests that stay away"
		sample  = "what only some targets show"
		bursts  = "whether bad events always came in bursts: "
		after   = "anything that begins later than 20m after"
	)
	ratio := "{name: errors, bad: b_total, total: t_total, max: 1%}"
	each := "{name: outliers, bad: b_total, total: t_total, max: 1%, each: target}"
	against := "{name: errors, bad: b_total, total: t_total, against: control}"
	each2 := `{name: outliers, bad: "sum by (instance) (increase(b_total{$exposed}[$window]))", ` +
		`total: "sum by (instance) (increase(t_total{$exposed}[$window]))", max: 1%, each: target}`
	promControl := `{name: errors, bad: "sum(increase(b_total{$exposed}[$window]))", ` +
		`total: "sum(increase(t_total{$exposed}[$window]))", against: control}`
	before := strings.Replace(promControl, "control", "before", 1)
	probe := `{name: answers, probe: {http: "http://{{address}}/"}}`
	for name, tt := range map[string]struct {
		health string
		want   []string
	}{
		"a ratio":                {"scrape: {}, checks: [" + ratio + "]", []string{host, rise, latency, dead, silent, after}},
		"a ratio, compared":      {"scrape: {}, checks: [" + strings.Replace(ratio, "max: 1%", "against: control, worse: 20%", 1) + "]", []string{host, latency, dead, silent, bursts + "errors rests on 5m", after}},
		"none may fail":          {"scrape: {}, checks: [" + strings.Replace(each, "1%", "0%", 1) + "]", []string{latency, dead, silent, after}},
		"each":                   {"scrape: {}, checks: [" + each + "]", []string{rise, latency, dead, silent, after}},
		"each, and outliers":     {"scrape: {}, checks: [" + strings.Replace(each, "each", "outliers: 2, each", 1) + "]", []string{"errors of up to 2 targets", rise, latency, dead, silent, after}},
		"each that only advises": {"scrape: {}, checks: [" + ratio + "," + strings.Replace(each, "each", "advisory: true, each", 1) + "]", []string{host, rise, latency, dead, silent, after}},
		"each, of no errors":     {"scrape: {}, checks: [" + ratio + ", {name: memory, value: memory_bytes, max: 1, each: target}]", []string{host, rise, latency, dead, silent, after}},
		"a probe":                {"scrape: {}, checks: [" + ratio + "," + probe + "]", []string{host, rise, latency, silent, after}},
		"a probe of a port":      {"scrape: {}, checks: [" + each + `, {name: port, probe: {tcp: "{{address}}"}}]`, []string{rise, latency, taken, silent, after}},
		"slow":                   {"scrape: {}, checks: [" + each + "," + probe + ", {name: slow, slow: {histogram: took_seconds, over: 100ms}, max: 5%}]", []string{rise, silent, bursts + "slow", after}},
		"a latency as a value":   {"scrape: {}, checks: [" + each + "," + probe + ", {name: p99, value: request_duration_p99, max: 5}]", []string{rise, "one slow target among many", silent, after}},
		"a latency of each":      {"scrape: {}, checks: [" + each + "," + probe + ", {name: p99, value: request_duration_p99, max: 5, each: target}]", []string{rise, silent, after}},
		"another value":          {"scrape: {}, checks: [" + each + "," + probe + ", {name: free, value: connections_free, min: 5}]", []string{rise, latency, silent, after}},
		"another time":           {"scrape: {}, checks: [" + each + "," + probe + ", {name: started, value: process_start_time_seconds, min: 5}]", []string{rise, latency, silent, after}},
		"a small sample":         {"scrape: {sample: 5}, checks: [" + each + "," + probe + "]", []string{rise, latency, silent, sample, after}},
		"no traffic":             {"without: [traffic], checks: [" + probe + "]", []string{fails, latency, silent + ": without has traffic", after}},
		"nothing always on":      {"without: [traffic, alive], checks: [" + probe + "]", []string{fails, latency, silent, "targets that are not alive", after}},
		"a warm-up":              {"scrape: {}, warmup: 30s, checks: [" + each + "," + probe + "]", []string{rise, latency, silent, "what is over within 30s of an apply", after}},
		"a judge of one's own": {
			`without: [traffic], checks: [` + probe + `, {name: mine, webhook: {url: "http://judge/"}}]`,
			[]string{fails + "; what checks with webhook look at is not known", latency + ": no check has slow, or a value that is a latency; what", silent, after},
		},
		"pages and control":   {"scrape: {}, checks: [" + against + ", " + each + "," + probe + "]", []string{latency, silent, bursts + "errors rests on 5m of past, and 1h tell", after}},
		"an hour of pages":    {"scrape: {baseline: 1h}, checks: [" + against + ", " + each + "," + probe + "]", []string{latency, silent, after}},
		"2 h, against before": {`prometheus: "http://p:9090", falseRollbackRate: 5%, checks: [` + each2 + "," + probe + "," + before + "]", []string{latency, silent, after}},
		"6 h of a Prometheus": {`prometheus: "http://p:9090", checks: [` + each2 + "," + probe + "," + promControl + "]", []string{latency, silent, after}},
		"pages": {
			"scrape: {}, every: 2s, checks: [" + ratio + "]",
			[]string{host, rise, latency, dead, silent + " for less than about 6s", after},
		},
		"a Prometheus": {
			`prometheus: "http://p:9090", every: 10s, checks: [{name: up, value: "min(u{$exposed})", min: 1}], traffic: "sum(increase(r_total{$exposed}[$window]))"`,
			[]string{fails, latency, dead, silent + " for less than about 1m", after},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := "unit: edge\nrelease: a\nfleet: fleet.yaml\ndriver: {http: {}}\n" +
				"stages: [{name: all, reach: 100%, bake: 20m}]\nhealth: {" + tt.health + "}\n"
			doc, err := spec.Parse("f.yaml", []byte(text), catalog.New().Kinds())
			require.NoError(t, err)
			got := plan.Blind(doc.Spec, catalog.New().Kinds(), 50)
			require.Len(t, got, len(tt.want), "%v", got)
			for i, line := range got {
				require.True(t, strings.HasPrefix(line, tt.want[i]), line)
			}
		})
	}
}

// A bake that may end early ends the looking earlier.
func TestBlindAfterAShortBake(t *testing.T) {
	text := `{unit: edge, release: a, fleet: fleet.yaml, driver: {http: {}}, stages: [{name: all, reach: 100%, bake: {min: 2m, max: 20m, enough: 2x}}],
  health: {scrape: {}, checks: [{name: errors, bad: b_total, total: t_total, against: before}]}}`
	doc, err := spec.Parse("f.yaml", []byte(text), catalog.New().Kinds())
	require.NoError(t, err)
	require.Contains(t, strings.Join(plan.Blind(doc.Spec, catalog.New().Kinds(), 50), "\n"), "later than 2m to 20m after the last stage")
}

// A guard goes on looking after the last bake.
func TestBlindAfterAGuard(t *testing.T) {
	for bake, want := range map[string]string{
		"20m":                             "later than 24h20m after the last stage",
		"{min: 2m, max: 20m, enough: 2x}": "later than 24h2m to 24h20m after the last stage",
	} {
		text := `{unit: edge, release: a, fleet: fleet.yaml, driver: {http: {}}, guard: 24h, stages: [{name: all, reach: 100%, bake: ` + bake + `}],
  health: {scrape: {}, checks: [{name: errors, bad: b_total, total: t_total, against: before}]}}`
		doc, err := spec.Parse("f.yaml", []byte(text), catalog.New().Kinds())
		require.NoError(t, err)
		blind := plan.Blind(doc.Spec, catalog.New().Kinds(), 50)
		require.Contains(t, blind[len(blind)-1], want)
	}
}
