package health_test

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// shop is a program that takes orders: its page has a classic histogram and a native one of how
// long they take, and how many it takes a second.
type shop struct {
	classic, native prometheus.Histogram
	orders          prometheus.Gauge
}

func openShop(t *testing.T) (*shop, string) {
	t.Helper()
	s := &shop{
		classic: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "classic_seconds", Buckets: []float64{0.05, 0.1, 0.2, 0.4, 0.8}}),
		native:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "native_seconds", NativeHistogramBucketFactor: 1.1}),
		orders:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "orders"}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(s.classic, s.native, s.orders)
	server := httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	return s, server.Listener.Addr().String()
}

// work takes orders that last so many times as long as usual, and so many of the usual number.
func (s *shop) work(random *rand.Rand, slower, orders float64) {
	for range 100 {
		took := slower * 0.06 * (0.5 + random.ExpFloat64())
		s.classic.Observe(took)
		s.native.Observe(took)
	}
	s.orders.Set(orders * (100 + 3*random.NormFloat64()))
}

// formsSpec has every form of check that compares, but for counts.
func formsSpec(address string) spec.Health {
	return spec.Health{
		Source: spec.Choose("prometheus", address), Identify: spec.Identify{Label: "instance", Value: "{{address}}"}, FalseRollbackRate: 0.05,
		Every: second, Window: 10 * second, StaleAfter: 5 * second, Without: []string{spec.CheckAlive, spec.CheckTraffic},
		Checks: []spec.Check{
			{Name: "orders", Value: "orders{$exposed}", Against: spec.AgainstControl, Drop: number(0.1), MinSamples: 30, Weight: 1},
			{Name: "classic", Slow: &spec.Slow{Histogram: "classic_seconds{$exposed}", Over: 0.2}, Against: spec.AgainstControl, Worse: number(0.5), MinSamples: 100, Weight: 1},
			{Name: "native", Slow: &spec.Slow{Histogram: "native_seconds{$exposed}", Over: 0.25}, Against: spec.AgainstControl, Worse: number(0.5), MinSamples: 100, Weight: 1},
			{Name: "misspelt", Slow: &spec.Slow{Histogram: "clasic_seconds{$exposed}", Over: 0.2}, Against: spec.AgainstControl, MinSamples: 100, Weight: 1},
		},
	}
}

// A real Prometheus serves what the forms that compare ask of it: of healthy targets they pass, of
// slow ones that take fewer orders they fail.
func TestRealPrometheusForms(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a real Prometheus takes seconds to have two samples")
	}
	t.Parallel()
	var farm []*shop
	var targets []fleet.Target
	var pages []string
	for i := range 16 {
		s, address := openShop(t)
		farm, pages = append(farm, s), append(pages, address)
		targets = append(targets, fleet.Target{ID: fmt.Sprint("shop-", i), Address: address})
	}
	const changed = 6
	h := formsSpec(startPrometheus(t, pages, func(string) {}))
	random := rand.New(rand.NewPCG(1, 2))
	traffic := func(slower, orders float64) func() {
		return func() {
			for i, s := range farm {
				if i < changed {
					s.work(random, slower, orders)
				} else {
					s.work(random, 1, 1)
				}
			}
		}
	}
	b := health.Binding{Bake: 15 * time.Second, Scope: source.Scope{
		Unit: "shop", Release: "2.0.0", Stage: "canary",
		Exposed: targets[:changed], Cohort: targets[:changed], Control: targets[changed:],
	}}
	open := func() *health.Evaluator {
		m, err := health.Open(h, b, health.Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		return m
	}
	until := func(m *health.Evaluator, each func(), done func(map[string]health.Result) bool) map[string]health.Result {
		byName := map[string]health.Result{}
		looks(t, m, each, func(r health.Report) bool {
			for _, res := range r.Results {
				byName[res.Check] = res
			}
			return done(byName)
		})
		return byName
	}

	steady := 0
	until(open(), traffic(1, 1), func(map[string]health.Result) bool { steady++; return steady > 14 })
	before, err := open().Baseline(t.Context(), time.Now())
	require.NoError(t, err)
	require.Len(t, before.Means["orders"], 16)
	require.NotEmpty(t, before.Past["classic"].Looks)
	require.NotEmpty(t, before.Past["native"].Looks)

	b.Before, b.Since = before, time.Now()
	all := func(v health.Verdict) func(map[string]health.Result) bool {
		return func(by map[string]health.Result) bool {
			return by["orders"].Verdict == v && by["classic"].Verdict == v && by["native"].Verdict == v
		}
	}
	got := until(open(), traffic(1, 1), all(health.Pass))
	require.Equal(t, health.NoData, got["misspelt"].Verdict)
	require.Contains(t, got["misspelt"].Sentence, "no series")

	reruns, err := health.Replays(t.Context(), h, b, health.Deps{Sources: sources, Forms: forms},
		spec.Check.Means, time.Now().Add(-20*time.Second), time.Now())
	require.NoError(t, err)
	require.Len(t, reruns, 1)
	for _, r := range reruns {
		require.Empty(t, r.Missing, r.Check)
		require.NotEqual(t, health.Fail, r.Judge(15*time.Second).Verdict)
	}

	b.Since = time.Now()
	got = until(open(), traffic(2.5, 0.7), all(health.Fail))
	for name, words := range map[string]string{"orders": "lower, drop of 10% allowed", "classic": "times the usual", "native": "times the usual"} {
		require.Contains(t, got[name].Sentence, words)
		t.Log(name, got[name].Sentence)
	}
}
