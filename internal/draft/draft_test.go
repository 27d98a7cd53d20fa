package draft_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/draft"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// checksOf are the checks of a spec by name.
func checksOf(s spec.Spec) map[string]spec.Check {
	out := map[string]spec.Check{}
	for _, c := range s.Health.Checks {
		out[c.Name] = c
	}
	return out
}

// valid reads a draft as validate does, on the fleet that it is for.
func valid(t *testing.T, d draft.Draft, targets []fleet.Target) spec.Spec {
	t.Helper()
	kinds := catalog.New().Kinds()
	doc, err := spec.Parse("rollout.yaml", []byte(d.Text), kinds)
	require.NoError(t, err, d.Text)
	_, err = plan.New(doc.Spec, fleet.Fleet{Targets: targets}, kinds)
	require.NoError(t, err, d.Text)
	return doc.Spec
}

// What is recognized on pages of several programs, and what is said to be missing.
func TestPages(t *testing.T) {
	for name, want := range map[string]struct {
		bad, total string
		slow       string // histogram over bound
		value      string // a mean latency
		traffic    string
		missing    []string
	}{
		"go": {
			bad: `http_requests_total{handler!="/metrics",code=~"5.."}`, total: `http_requests_total{handler!="/metrics"}`,
			slow: `http_request_duration_seconds{handler!="/metrics"} 0.25`,
		},
		"openmetrics": {
			bad: `http_requests_total{code=~"5.."}`, total: `http_requests_total`, slow: `http_request_duration_seconds 0.5`, missing: []string{"latency"},
		},
		"haproxy": {
			bad:   `haproxy_frontend_http_responses_total{proxy!="stats",code="5xx"}`,
			total: `haproxy_frontend_http_responses_total{proxy!="stats"}`,
			value: `haproxy_backend_total_time_average_seconds 0.25`,
		},
		"nginx-vts": {
			bad:   `nginx_vts_server_requests_total{host="*",code!="total",code="5xx"}`,
			total: `nginx_vts_server_requests_total{host="*",code!="total"}`,
			value: `nginx_vts_server_request_seconds{host="*"} 0.25`,
		},
		"nginx-stub": {traffic: `nginx_http_requests_total`, missing: []string{"errors", "latency", "one bad host"}},
		"envoy": {
			bad:   `envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix!="admin",envoy_response_code_class="5"}`,
			total: `envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix!="admin"}`,
			slow:  `envoy_http_downstream_rq_time 250`,
		},
		"spring": {
			bad:     `http_server_requests_seconds_count{uri!="/actuator/prometheus",status=~"5.."}`,
			total:   `http_server_requests_seconds_count{uri!="/actuator/prometheus"}`,
			missing: []string{"latency"},
		},
		"grpc": {
			bad:   `grpc_server_handled_total{grpc_code=~"Unknown|DeadlineExceeded|ResourceExhausted|Unimplemented|Internal|Unavailable|DataLoss"}`,
			total: `grpc_server_handled_total`, slow: `grpc_server_handling_seconds 0.1`,
		},
		"prometheus": {
			bad:   `prometheus_http_requests_total{handler!="/metrics",code=~"5.."}`,
			total: `prometheus_http_requests_total{handler!="/metrics"}`, slow: `prometheus_http_request_duration_seconds{handler!="/metrics"} 0.2`,
		},
		"traefik": {
			bad:   `traefik_entrypoint_requests_total{entrypoint!="traefik",code=~"5.."}`,
			total: `traefik_entrypoint_requests_total{entrypoint!="traefik"}`, slow: `traefik_entrypoint_request_duration_seconds{entrypoint!="traefik"} 0.3`,
		},
		"caddy":    {bad: `caddy_http_request_errors_total`, total: `caddy_http_requests_total`, missing: []string{"latency"}},
		"untyped":  {bad: `myapp_requests_total{status_class="5xx"}`, total: `myapp_requests_total`, slow: `myapp_latency_seconds 0.5`},
		"gauges":   {missing: []string{"errors", "silence", "latency", "one bad host"}},
		"counters": {missing: []string{"errors", "silence", "latency", "one bad host"}},
		"empty":    {missing: []string{"errors", "silence", "latency", "one bad host"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft.Write(options(), draft.SeenPage(readPage(t, name)))
			s := valid(t, d, options().Targets)
			checks := checksOf(s)
			require.Equal(t, want.bad, checks["errors"].Bad)
			require.Equal(t, want.total, checks["errors"].Total)
			require.Equal(t, want.bad, checks["outliers"].Bad)
			if want.bad != "" {
				require.Equal(t, spec.EachTarget, checks["outliers"].Each)
			}
			require.Equal(t, "probe", checks["answers"].Form.Name)
			slow, value := "", ""
			if c := checks["slow"]; c.Slow != nil {
				slow = c.Slow.Histogram + " " + number(float64(c.Slow.Over))
			}
			if c := checks["latency"]; c.Max != nil {
				value = c.Value + " " + number(float64(*c.Max))
			}
			require.Equal(t, want.slow, slow)
			require.Equal(t, want.value, value)
			if want.traffic != "" {
				require.Equal(t, want.traffic, s.Health.Traffic)
			}
			var missing []string
			for _, m := range d.Missing {
				what, _, _ := strings.Cut(m, ":")
				missing = append(missing, what)
				require.Contains(t, d.Text, "#   "+m, "the spec says it, too")
			}
			require.Equal(t, want.missing, missing, d.Missing)
		})
	}
}

// The same by way of a Prometheus: queries that tell targets apart, and means of summaries.
func TestQueries(t *testing.T) {
	for _, name := range []string{"go", "haproxy", "nginx-vts", "envoy", "spring", "grpc", "caddy", "gauges"} {
		t.Run(name, func(t *testing.T) {
			s := valid(t, draft.Write(options(), draft.SeenPrometheus(readPage(t, name), "instance")), options().Targets)
			checks := checksOf(s)
			if name == "gauges" {
				require.Len(t, checks, 1)
				return
			}
			require.Contains(t, checks["errors"].Bad, "$exposed}[$window]))")
			require.Contains(t, checks["outliers"].Total, "sum by (instance) (increase(")
			if name == "spring" {
				require.InDelta(t, 0.3, float64(*checks["latency"].Max), 1e-9, "five times the mean of 0.06 s")
				require.Contains(t, checks["latency"].Value, "http_server_requests_seconds_sum{")
				require.Equal(t, spec.EachTarget, checks["latency"].Each)
			}
		})
	}
}

// A page of HTML is none, and is not taken for an empty one.
func TestNoPage(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "html.txt"))
	require.NoError(t, err)
	for _, kind := range []string{"text/html; charset=utf-8", "text/plain", ""} {
		_, err = draft.ReadPage(data, kind)
		require.ErrorContains(t, err, "no metrics page in Prometheus' text format", kind)
	}
}

// A probe that is known to fail is not written, but as a comment; with a URL of a person it is.
func TestNoProbe(t *testing.T) {
	seen := draft.SeenPage(readPage(t, "go"))
	seen.Probe = ""
	d := draft.Write(options(), seen)
	require.NotContains(t, checksOf(valid(t, d, options().Targets)), "answers")
	require.Contains(t, d.Text, "    # - name: answers\n    #   probe: {http: 'http://{{address}}/'}\n")
	require.Contains(t, strings.Join(d.Missing, "\n"), "a page that users see: "+
		"none of /, /healthz and the like answered 2xx from here; the check answers is there as a comment")
	require.NotContains(t, strings.Join(d.Found, "\n"), "answers nobody")
	o := options()
	o.Probe = "http://{{address}}/live"
	d = draft.Write(o, seen)
	require.Contains(t, d.Text, "  probe: {http: 'http://{{address}}/live'}")
	require.Contains(t, d.Found, "a host that answers nobody: GET /live of each target")

	seen = draft.SeenPage(readPage(t, "empty")) // where it is the only check
	seen.Probe = ""
	d = draft.Write(options(), seen)
	require.Contains(t, checksOf(valid(t, d, options().Targets)), "answers")
	require.Contains(t, strings.Join(d.Missing, "\n"), "set the URL of the check answers, or a start is refused")
}

// Too little traffic for a verdict is said with its numbers.
func TestLittleTraffic(t *testing.T) {
	seen := draft.SeenPage(readPage(t, "untyped"))
	text := strings.Replace(string(read(t, "untyped")), `{status_class="2xx"} 120`, `{status_class="2xx"} 119`, 1)
	earlier, err := draft.ReadPage([]byte(text), "")
	require.NoError(t, err)
	seen.Earlier, seen.Between = earlier, 10*time.Second
	d := draft.Write(options(), seen)
	require.Contains(t, strings.Join(d.Missing, "\n"), "enough traffic: "+
		"the target got 1 requests in 10s, about 60 in a bake of 10m: "+
		"a verdict takes 100, so a bake takes 17m, or minSamples must be smaller")
}

// Stages grow with the fleet, and every size has a plan.
func TestStages(t *testing.T) {
	for n, stages := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 6: 3, 29: 3, 30: 4, 200: 4, 5000: 4} {
		o := options()
		o.Targets = targets(n)
		s := valid(t, draft.Write(o, draft.SeenPage(readPage(t, "go"))), o.Targets)
		require.Len(t, s.Stages, stages, n)
		for _, stage := range s.Stages[max(0, len(s.Stages)-2):] { // a host of many dies by itself now and then
			require.Equal(t, n == 5000 || n == 200 && stage.Name == "everyone", stage.Tolerate != nil, "%d: %s", n, stage.Name)
		}
		blind := strings.Join(plan.Blind(s, catalog.New().Kinds(), n), "\n")
		require.Equal(t, n > 1000, strings.Contains(blind, "what only some targets show"), n)
	}
}
