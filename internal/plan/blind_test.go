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
	each2 := `{name: outliers, bad: "sum by (instance) (increase(b_total{$exposed}[$window]))", total: "sum by (instance) (increase(t_total{$exposed}[$window]))", max: 1%, each: target}`
	promControl := `{name: errors, bad: "sum(increase(b_total{$exposed}[$window]))", total: "sum(increase(t_total{$exposed}[$window]))", against: control}`
	before := strings.Replace(promControl, "control", "before", 1)
	probe := `{name: answers, probe: {http: "http://{{address}}/"}}`
	for name, tt := range map[string]struct {
		health string
		want   []string
	}{
		"a ratio":                {"scrape: {}, checks: [" + ratio + "]", []string{host, latency, dead, silent, after}},
		"each":                   {"scrape: {}, checks: [" + each + "]", []string{latency, dead, silent, after}},
		"each that only advises": {"scrape: {}, checks: [" + ratio + "," + strings.Replace(each, "each", "advisory: true, each", 1) + "]", []string{host, latency, dead, silent, after}},
		"a probe":                {"scrape: {}, checks: [" + ratio + "," + probe + "]", []string{host, latency, silent, after}},
		"slow":                   {"scrape: {}, checks: [" + each + "," + probe + ", {name: slow, slow: {histogram: took_seconds, over: 100ms}, max: 5%}]", []string{silent, bursts + "slow", after}},
		"a latency as a value":   {"scrape: {}, checks: [" + each + "," + probe + ", {name: p99, value: request_duration_p99, max: 5}]", []string{silent, after}},
		"another value":          {"scrape: {}, checks: [" + each + "," + probe + ", {name: free, value: connections_free, min: 5}]", []string{latency, silent, after}},
		"pages and control":      {"scrape: {}, checks: [" + against + ", " + each + "," + probe + "]", []string{latency, silent, bursts + "errors rests on 1m of past, and 1h tell", after}},
		"an hour of pages":       {"scrape: {baseline: 1h}, checks: [" + against + ", " + each + "," + probe + "]", []string{latency, silent, after}},
		"against before, at 5%":  {`prometheus: "http://p:9090", falseRollbackRate: 5%, checks: [` + each2 + "," + probe + "," + before + "]", []string{latency, silent, bursts + "errors rests on 20m of past, and 30m tell", after}},
		"6 h of a Prometheus":    {`prometheus: "http://p:9090", checks: [` + each2 + "," + probe + "," + promControl + "]", []string{latency, silent, after}},
		"a small sample":         {"scrape: {sample: 5}, checks: [" + each + "," + probe + "]", []string{latency, silent, sample, after}},
		"no traffic":             {"without: [traffic], checks: [" + probe + "]", []string{host, latency, silent + ": without has traffic", after}},
		"pages": {
			"scrape: {}, every: 2s, checks: [" + ratio + "]",
			[]string{host, latency, dead, silent + " for less than about 6s", after},
		},
		"a Prometheus": {
			`prometheus: "http://p:9090", every: 10s, checks: [{name: up, value: "min(u{$exposed})", min: 1}], traffic: "sum(increase(r_total{$exposed}[$window]))"`,
			[]string{host, latency, dead, silent + " for less than about 1m", after},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := "unit: edge\nrelease: a\nfleet: fleet.yaml\ndriver: {http: {}}\nstages: [{name: all, reach: 100%, bake: 20m}]\nhealth: {" + tt.health + "}\n"
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
