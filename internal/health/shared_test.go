package health_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// A Prometheus that knows hosts of several clusters by the same short names says so, and does not
// count their requests together.
func TestNamesThatOtherClustersHave(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a real Prometheus takes seconds to have two samples")
	}
	t.Parallel()
	var farm []*exporter
	config := "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
	for _, cluster := range []string{"a", "b", "c", "d"} {
		for _, job := range []string{"edge", "node"} { // a program with other metrics, on the same host
			e := &exporter{latency: 0.1}
			server := httptest.NewServer(e)
			t.Cleanup(server.Close)
			farm = append(farm, e)
			drop := map[string]string{"node": "requests_total", "edge": "nothing"}[job]
			config += fmt.Sprintf("- job_name: %[1]s-%[2]s\n  static_configs: [{targets: [%[3]q], labels: {cluster: %[2]s, instance: web-0, job: %[1]s}}]\n"+
				"  metric_relabel_configs: [{source_labels: [__name__], regex: %[4]s, action: drop}]\n", job, cluster, server.Listener.Addr(), drop)
		}
	}
	dir := t.TempDir()
	address, _ := startProgram(t, "prometheus", dir, config, "--storage.tsdb.path="+dir)
	ratio := func(name, matchers string) spec.Check {
		return spec.Check{
			Name: name, Max: number(0.05), MinSamples: 100,
			Bad:   fmt.Sprintf(`sum(increase(requests_total{code=~"5..",%s$exposed}[$window]))`, matchers),
			Total: fmt.Sprintf(`sum(increase(requests_total{%s$exposed}[$window]))`, matchers),
		}
	}
	each := spec.Check{Name: "each", Each: spec.EachTarget, Value: "max by (instance) (latency_seconds{$exposed})", Max: number(0.4)}
	h := spec.Health{
		Source: spec.Choose("prometheus", address), Identify: spec.Identify{Label: "instance", Value: "{{id}}"},
		Every: second, Window: 20 * second, StaleAfter: 5 * second, Without: []string{spec.CheckAlive, spec.CheckTraffic},
		Checks: []spec.Check{ratio("of all", ""), ratio("of one", `cluster="a",`), ratio("on purpose", `cluster=~".+",`), each},
	}
	b := health.Binding{Scope: source.Scope{
		Unit: "edge", Release: "2.0.0", Stage: "canary", Since: time.Now(),
		Exposed: []fleet.Target{{ID: "web-0", Address: "10.0.0.1:80"}}, Cohort: []fleet.Target{{ID: "web-0", Address: "10.0.0.1:80"}},
	}}
	m, err := health.Open(h, b, health.Deps{Sources: sources, Forms: forms})
	require.NoError(t, err)
	r := looks(t, m, func() {
		for i, e := range farm { // one request of ten fails on the host that is meant
			e.add(map[bool]int{true: 20}[i == 0], 200)
		}
	}, func(r health.Report) bool {
		return r.Results[1].Verdict == health.Fail && r.Results[2].Verdict == health.Pass && r.Results[3].Verdict == health.NoData
	})
	require.Equal(t, health.NoData, r.Results[0].Verdict)
	require.Contains(t, r.Results[0].Sentence, `instance="web-0" has series of 4 targets instead of 1, by cluster ("a", "b", "c", …)`)
	require.Contains(t, r.Results[3].Sentence, `instance="web-0" has series of 8 targets instead of 1`, "both programs show it")
}
