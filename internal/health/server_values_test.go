package health_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// counter is a page of requests by code.
type counter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *counter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for code, n := range c.counts {
		_, _ = fmt.Fprintf(w, "requests_total{code=%q} %d\n", code, n)
	}
}

func (c *counter) add(counts map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for code, n := range counts {
		c.counts[code] += n
	}
}

// A real Prometheus tells apart what a release counts by a new name: errors that go on, and ones
// that came all at once, before their series was read first.
func TestRealPrometheusNewValues(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a real Prometheus takes seconds to have two samples")
	}
	t.Parallel()
	var farm []*counter
	var targets []fleet.Target
	var pages []string
	for i := range 6 {
		c := &counter{counts: map[string]int{"500": 1}}
		server := httptest.NewServer(c)
		t.Cleanup(server.Close)
		address := server.Listener.Addr().String()
		farm, pages = append(farm, c), append(pages, address)
		targets = append(targets, fleet.Target{ID: fmt.Sprint("web-", i), Address: address})
	}
	ratio := func(name, by string) spec.Check {
		return spec.Check{
			Name: name, MinSamples: 100,
			Bad:   "sum" + by + `(increase(requests_total{code=~"5..",$exposed}[$window]))`,
			Total: "sum" + by + `(increase(requests_total{$exposed}[$window]))`,
		}
	}
	share, control, each := ratio("share", ""), ratio("control", ""), ratio("each", " by (instance) ")
	share.Max, each.Max, each.Each = number(0.05), number(0.05), spec.EachTarget
	control.Against, control.Worse, control.Weight = spec.AgainstControl, number(0.5), 1
	h := spec.Health{
		Source: spec.Choose("prometheus", startPrometheus(t, pages, func(string) {})), Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
		Every: second, Window: 10 * second, StaleAfter: 5 * second, Without: []string{spec.CheckAlive, spec.CheckTraffic},
		Checks: []spec.Check{share, control, each}, FalseRollbackRate: 0.01,
	}
	b := health.Binding{
		Scope: source.Scope{Unit: "web", Release: "2.0.0", Stage: "canary", Exposed: targets[:3], Cohort: targets[:3], Control: targets[3:]},
		Bake:  15 * time.Second,
	}
	open := func() *health.Evaluator {
		m, err := health.Open(h, b, health.Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		return m
	}
	traffic := func(exposed map[string]int) func() {
		return func() {
			for i, c := range farm {
				if i < 3 {
					c.add(exposed)
				} else {
					c.add(map[string]int{"200": 194, "404": 6})
				}
			}
		}
	}
	all := func(want health.Verdict) func(health.Report) bool {
		return func(r health.Report) bool {
			for _, res := range r.Results {
				if res.Verdict != want {
					return false
				}
			}
			return true
		}
	}
	steady := 0
	looks(t, open(), traffic(map[string]int{"200": 194, "404": 6}), func(health.Report) bool { steady++; return steady > 14 })
	before, err := open().Baseline(t.Context(), time.Now())
	require.NoError(t, err)
	require.Len(t, before.Values, 3)
	t.Log(before.Values["share"])

	b.Before, b.Since = before, time.Now()
	looks(t, open(), traffic(map[string]int{"201": 194, "404": 6}), all(health.Pass))
	r := looks(t, open(), traffic(map[string]int{"200": 154, "404": 6, "internal_error": 40}), all(health.NoData))
	for _, res := range r.Results {
		require.Contains(t, res.Sentence, "a value of \"code\" is new since the stage and common: \"internal_error\" (")
		t.Log(res.Check, res.Sentence)
	}
	farm[0].add(map[string]int{"lost": 4000}) // all at once
	looks(t, open(), traffic(map[string]int{"200": 194, "404": 6}), func(r health.Report) bool {
		t.Log(r.Results[0].Sentence)
		return r.Results[0].Verdict == health.NoData && strings.Contains(r.Results[0].Sentence, `"lost" (`)
	})
}
