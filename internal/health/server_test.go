package health_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/spec"
)

// exporter is a program's metrics page with counters that a test turns.
type exporter struct {
	mu         sync.Mutex
	bad, total int
	latency    float64
	silent     bool
}

func (e *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.silent {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintf(w, "# TYPE requests_total counter\nrequests_total{code=\"200\"} %d\n", e.total-e.bad)
	if e.bad > 0 { // as a real program: no error yet, no series
		_, _ = fmt.Fprintf(w, "requests_total{code=\"500\"} %d\n", e.bad)
	}
	_, _ = fmt.Fprintf(w, "# TYPE latency_seconds gauge\nlatency_seconds %g\n", e.latency)
}

func (e *exporter) add(bad, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bad, e.total = e.bad+bad, e.total+total
}

// startProgram runs a program of Debian's, with its configuration in a folder, and answers its
// address and a function that ends it.
func startProgram(t *testing.T, name, dir, config string, args ...string) (string, func()) {
	t.Helper()
	binary, err := exec.LookPath(name)
	if err != nil {
		require.NotEqual(t, "1", os.Getenv("SLUICE_REQUIRE_E2E"), "no %[1]s on the path: apt-get install %[1]s", name)
		t.Skipf("no %s on the path: what a real one answers is not tested here", name)
	}
	ports, err := stack.FreePorts(t.Context(), 1)
	require.NoError(t, err)
	file, address := filepath.Join(dir, name+".yml"), stack.Loopback(ports[0])
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	p := stack.NewProcess(name, t.Output(), append([]string{binary, "--config.file=" + file, "--web.listen-address=" + address}, args...)...)
	t.Cleanup(p.Kill)
	require.NoError(t, p.StartAnswering(t.Context(), "http://"+address+"/-/ready"))
	return "http://" + address, p.Kill
}

// startPrometheus runs a Prometheus over the pages, read every second, on data that fill has put
// into its directory.
func startPrometheus(t *testing.T, pages []string, fill func(dir string)) string {
	t.Helper()
	dir := t.TempDir()
	fill(dir)
	url, _ := startProgram(t, "prometheus", dir,
		"global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: edge\n  static_configs: [{targets: ["+strings.Join(pages, ",")+"]}]\n",
		"--storage.tsdb.path="+dir, "--enable-feature=native-histograms")
	return url
}

// looks asks again until a look says so, or some time has passed.
func looks(t *testing.T, m *health.Evaluator, each func(), want func(health.Report) bool) health.Report {
	t.Helper()
	var r health.Report
	for range 40 {
		each()
		var err error
		r, err = m.Look(t.Context(), time.Now())
		require.NoError(t, err)
		if want(r) {
			return r
		}
		select {
		case <-t.Context().Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
	require.FailNow(t, "it never came to that", "last: %+v", r)
	return r
}

func TestRealPrometheus(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a real Prometheus takes seconds to have two samples")
	}
	t.Parallel()
	var farm [4]*exporter
	var targets []fleet.Target
	var pages []string
	for i := range farm {
		farm[i] = &exporter{latency: 0.1}
		server := httptest.NewServer(farm[i])
		t.Cleanup(server.Close)
		address := server.Listener.Addr().String()
		pages = append(pages, address)
		targets = append(targets, fleet.Target{ID: fmt.Sprint("edge-", i), Address: address})
	}
	address := startPrometheus(t, pages, func(string) {})
	h := spec.Health{
		Source: spec.Choose("prometheus", address), Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
		Every: second, Window: 20 * second, StaleAfter: 5 * second, Without: []string{spec.CheckAlive},
		Traffic: "sum(increase(requests_total{$exposed}[$window]))",
		Checks: []spec.Check{
			{Name: "errors", Bad: `sum(increase(requests_total{code=~"5..",$exposed}[$window]))`, Total: `sum(increase(requests_total{$exposed}[$window]))`, Against: spec.AgainstControl, Worse: number(0.2), MinSamples: 100},
			{Name: "latency", Value: "max(latency_seconds{$cohort})", Max: number(0.4)},
			{Name: "each", Value: "latency_seconds{$exposed}", Max: number(0.4)},
			{Name: "every", Each: spec.EachTarget, Value: "latency_seconds{$exposed}", Max: number(0.4)},
			{Name: "misspelt", Value: "max(latencies{$exposed})", Max: number(0.4)},
		},
	}
	traffic := func(bad int) func() {
		return func() {
			for i, e := range farm {
				e.add(map[bool]int{true: bad}[i < 2], 200)
			}
		}
	}
	b := health.Binding{Scope: source.Scope{
		Unit: "edge", Release: "2.0.0", Stage: "canary", Since: time.Now(),
		Exposed: targets[:2], Cohort: targets[:2], Control: targets[2:],
	}}
	open := func() *health.Evaluator {
		m, err := health.Open(h, b, health.Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		return m
	}
	verdicts := func(r health.Report) map[string]health.Verdict {
		out := map[string]health.Verdict{}
		for _, res := range r.Results {
			out[res.Check] = res.Verdict
		}
		return out
	}

	r := looks(t, open(), traffic(0), func(r health.Report) bool { return verdicts(r)["errors"] == health.Pass && r.Results[0].Samples > 4000 })
	require.Equal(t, health.NoData, verdicts(r)["each"], "several series where one is asked")
	require.Equal(t, health.NoData, verdicts(r)["misspelt"], "no such series")
	require.Equal(t, health.Pass, verdicts(r)["latency"])
	require.Equal(t, health.Pass, verdicts(r)["every"])
	require.Equal(t, health.NoData, r.Verdict(), "one check without data is enough")

	before, err := open().Baseline(t.Context(), time.Now())
	require.NoError(t, err)
	require.Empty(t, before.Traffic)
	require.InDelta(t, 0.5, before.Exposed/(before.Exposed+before.Control), 0.2)

	farm[1].mu.Lock()
	farm[1].latency = 0.9
	farm[1].mu.Unlock()
	r = looks(t, open(), traffic(0), func(r health.Report) bool { return verdicts(r)["every"] == health.Fail })
	require.Equal(t, "edge-1 0.9 above the limit 0.4; 1 of 2 targets", r.Results[3].Sentence)

	b.Before, b.Since = before, time.Now()
	r = looks(t, open(), traffic(20), func(r health.Report) bool { return verdicts(r)["errors"] == health.Fail })
	require.Contains(t, r.Results[0].Sentence, "vs control 0% (0/")

	// No target answers Prometheus any more: what it still knows is old.
	for _, e := range farm {
		e.mu.Lock()
		e.silent = true
		e.mu.Unlock()
	}
	looks(t, open(), traffic(0), func(r health.Report) bool { // they are read one after the other, and grow old so
		v := verdicts(r)
		return v["latency"] != health.Pass && v["errors"] != health.Pass && v["errors"] != health.Fail && v["traffic"] != health.Pass
	})
}
