package sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/spec"
)

// clock is a time that only the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func start(t *testing.T, c *clock, o sim.Options) *sim.Fleet {
	t.Helper()
	o.Now = c.now
	f, err := sim.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func newDriver(t *testing.T) driver.Driver {
	t.Helper()
	d, err := catalog.New().Drivers.New(spec.Driver{Choice: spec.Choose("http", driver.HTTP{})}, nil)
	require.NoError(t, err)
	return d
}

func order(release string, fence int64) driver.Order {
	return driver.Order{Unit: "demo", Release: release, Fence: fence}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return data
}

func metrics(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(get(t, url)))
	require.NoError(t, err)
	return families
}

// requests answers all and bad requests of a metrics page.
func requests(t *testing.T, url string) (all, bad float64) {
	t.Helper()
	for _, m := range metrics(t, url)["http_requests_total"].GetMetric() {
		all += m.GetCounter().GetValue()
		for _, l := range m.GetLabel() {
			if l.GetName() == "code" && l.GetValue() == "500" {
				bad += m.GetCounter().GetValue()
			}
		}
	}
	return all, bad
}

func TestTargetSpeaksTheContract(t *testing.T) {
	c := newClock()
	f := start(t, c, sim.Options{})
	d, at := newDriver(t), f.Inventory().Targets[0]
	require.Equal(t, "ap-01", at.ID)

	s, err := d.Observe(t.Context(), at, "demo")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "1.0.0", Alive: true}, s)
	for range 2 {
		require.NoError(t, d.Apply(t.Context(), at, order("1.1.0", 5)))
	}
	require.ErrorIs(t, d.Apply(t.Context(), at, order("1.2.0", 4)), driver.ErrFenced)
	require.NoError(t, d.Apply(t.Context(), at, order("1.0.0", 5)), "the way back has the same fence")
	s, err = d.Observe(t.Context(), at, "demo")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "1.0.0", Fence: 5, Alive: true}, s)
	require.NoError(t, d.Apply(t.Context(), at, order("", 6)))
	s, err = d.Observe(t.Context(), at, "demo")
	require.NoError(t, err)
	require.Equal(t, driver.State{Fence: 6, Alive: true}, s)

	_, err = d.Observe(t.Context(), at, "other")
	require.ErrorContains(t, err, "404")
	require.Len(t, f.Log(), 5)
	require.Len(t, strings.Split(strings.TrimSpace(string(get(t, f.URL()+"/log"))), "\n"), 5)
	require.False(t, f.Log()[2].Accepted)
	require.Equal(t, http.StatusConflict, f.Log()[2].Status)
}

func TestTrafficIsSteadyAndDeterministic(t *testing.T) {
	count := func(seed uint64, steps ...time.Duration) []byte {
		c := newClock()
		f := start(t, c, sim.Options{Targets: 6, Seed: seed, RPS: 50})
		for _, d := range steps {
			c.pass(d)
			f.State() // looking changes nothing
		}
		data, err := json.Marshal(f.State())
		require.NoError(t, err)
		all, bad := requests(t, f.URL()+"/metrics")
		want := 6 * 50 * 600.0
		require.InEpsilon(t, want, all, 0.02)
		require.InEpsilon(t, want*0.005, bad, 0.2)
		return data
	}
	once := count(1, 10*time.Minute)
	require.Equal(t, string(once), string(count(1, 3*time.Minute, 17*time.Millisecond, 7*time.Minute-17*time.Millisecond)))
	require.NotEqual(t, string(once), string(count(2, 10*time.Minute)))
}

func TestMetricsPages(t *testing.T) {
	c := newClock()
	f := start(t, c, sim.Options{Targets: 3, Release: `1"\x`})
	c.pass(time.Minute)
	for _, page := range []string{f.URL() + "/metrics", f.URL() + "/t/eu-01/metrics"} {
		families := metrics(t, page)
		require.Len(t, families, 3)
		all, _ := requests(t, page)
		var count, sum float64
		for _, m := range families["http_request_duration_seconds"].GetMetric() {
			h := m.GetHistogram()
			require.Equal(t, h.GetSampleCount(), h.GetBucket()[len(h.GetBucket())-1].GetCumulativeCount())
			count += float64(h.GetSampleCount())
			sum += h.GetSampleSum()
		}
		require.InDelta(t, all, count, 0)
		require.InEpsilon(t, 0.080, sum/count, 0.15)
	}
	info := metrics(t, f.URL()+"/t/eu-01/metrics")["sluice_unit_info"].GetMetric()[0]
	require.Equal(t, `1"\x`, info.GetLabel()[1].GetValue())
	require.Len(t, info.GetLabel(), 2)
	require.Equal(t, "target", metrics(t, f.URL()+"/metrics")["sluice_unit_info"].GetMetric()[0].GetLabel()[0].GetName())
}

// A restart resets the counters, as a real process does, but what was served is not forgotten.
func TestCountersRestartWithTheProcess(t *testing.T) {
	c := newClock()
	f := start(t, c, sim.Options{})
	d, at := newDriver(t), f.Inventory().Targets[0]
	page := "http://" + at.Address + "/metrics"
	c.pass(time.Minute)
	before, _ := requests(t, page)
	require.InEpsilon(t, 1200, before, 0.2)
	require.NoError(t, d.Apply(t.Context(), at, order("1.0.0", 1)))
	again, _ := requests(t, page)
	require.InDelta(t, before, again, 0, "the same release is no restart")
	require.NoError(t, d.Apply(t.Context(), at, order("1.1.0", 2)))
	after, _ := requests(t, page)
	require.Zero(t, after)
	c.pass(time.Minute)
	served := f.State()[0].Served
	require.InEpsilon(t, 1200, served["1.0.0"].Requests, 0.2)
	require.InEpsilon(t, 1200, served["1.1.0"].Requests, 0.2)
}

// faulty applies a release to the first target and lets a minute pass.
func faulty(t *testing.T, release string) (*sim.Fleet, *clock, fleet.Target, driver.Driver) {
	t.Helper()
	c := newClock()
	f := start(t, c, sim.Options{RPS: 100})
	d, at := newDriver(t), f.Inventory().Targets[0]
	require.NoError(t, d.Apply(t.Context(), at, order(release, 1)))
	c.pass(time.Minute)
	return f, c, at, d
}

func TestFaultsInTraffic(t *testing.T) {
	for release, want := range map[string]struct{ all, badShare, latency float64 }{
		"2.4.1":                    {6000, 0.005, 0.080},
		"2.4.1-rc1":                {6000, 0.005, 0.080},
		"2.4.1-errors":             {6000, 0.30, 0.080},
		"2.4.1-errors20x":          {6000, 0.10, 0.080},
		"2.4.1-latency":            {6000, 0.005, 0.95},
		"2.4.1-latency3x":          {6000, 0.005, 0.25},
		"2.4.1-latency3x-errors":   {6000, 0.30, 0.25},
		"2.4.1-notraffic":          {0, 0, 0},
		"2.4.1-notraffic-after30s": {3000, 0.005, 0.080},
		"2.4.1-errors-after30s":    {6000, 0.15, 0.080},
	} {
		t.Run(release, func(t *testing.T) {
			_, _, at, _ := faulty(t, release)
			page := "http://" + at.Address + "/metrics"
			all, bad := requests(t, page)
			if want.all == 0 {
				require.Zero(t, all)
				return
			}
			require.InEpsilon(t, want.all, all, 0.1)
			require.InEpsilon(t, want.badShare, bad/all, 0.6)
			h := metrics(t, page)["http_request_duration_seconds"].GetMetric()[0].GetHistogram()
			require.InEpsilon(t, want.latency, h.GetSampleSum()/float64(h.GetSampleCount()), 0.3)
		})
	}
}

func TestFaultCrash(t *testing.T) {
	f, _, at, d := faulty(t, "2.4.1-crash20s")
	s, err := d.Observe(t.Context(), at, "demo")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "2.4.1-crash20s", Fence: 1, Detail: "the process ended 20s after it was started"}, s)
	_, err = http.Get("http://" + at.Address + "/metrics")
	require.Error(t, err, "nobody listens on the metrics port")
	require.InEpsilon(t, 2000, f.State()[0].Served["2.4.1-crash20s"].Requests, 0.1)
	require.NotContains(t, string(get(t, f.URL()+"/metrics")), at.ID)

	require.NoError(t, d.Apply(t.Context(), at, order("1.0.0", 1)), "it can be put back")
	s, err = d.Observe(t.Context(), at, "demo")
	require.NoError(t, err)
	require.True(t, s.Alive)
}

func TestFaultGone(t *testing.T) {
	_, _, at, d := faulty(t, "2.4.1-gone20s")
	_, err := d.Observe(t.Context(), at, "demo")
	require.Error(t, err)
	err = d.Apply(t.Context(), at, order("1.0.0", 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, driver.ErrRefused)
}

func TestFaultsInOrders(t *testing.T) {
	c := newClock()
	f := start(t, c, sim.Options{})
	d, at := newDriver(t), f.Inventory().Targets[0]
	release := func() string {
		s, err := d.Observe(t.Context(), at, "demo")
		require.NoError(t, err)
		return s.Release
	}
	require.ErrorIs(t, d.Apply(t.Context(), at, order("2-refuse", 1)), driver.ErrRefused)
	require.NoError(t, d.Apply(t.Context(), at, order("2-noeffect", 1)))
	require.Equal(t, "1.0.0", release())
	require.ErrorContains(t, d.Apply(t.Context(), at, order("2-flaky", 1)), "503")
	require.NoError(t, d.Apply(t.Context(), at, order("2-flaky", 1)))
	require.Equal(t, "2-flaky", release())

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, d.Apply(ctx, at, order("2-slow1h", 1)), context.DeadlineExceeded)
	require.Equal(t, "2-flaky", release())
}

func TestFaultOneBad(t *testing.T) {
	c := newClock()
	f := start(t, c, sim.Options{Targets: 60, RPS: 100})
	d := newDriver(t)
	for _, at := range f.Inventory().Targets {
		require.NoError(t, d.Apply(t.Context(), at, order("2-onebad20", 1)))
	}
	c.pass(time.Minute)
	bad := 0
	for _, s := range f.State() {
		if served := s.Served["2-onebad20"]; served.Bad*10 > served.Requests {
			bad++
		}
	}
	require.Equal(t, 3, bad)
	for i, at := range f.Inventory().Targets {
		err := d.Apply(t.Context(), at, order("3-refuse-only7", 2))
		require.Equal(t, i == 7, err != nil, at.ID)
	}
}

// control changes a target as no order does, and answers the status.
func control(t *testing.T, at fleet.Target, body string) int {
	t.Helper()
	resp, err := http.Post("http://"+at.Address+"/control", "application/json", strings.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestControls(t *testing.T) {
	c := newClock()
	f := start(t, c, sim.Options{Token: "planted"})
	d, at := newDriver(t), f.Inventory().Targets[0]
	require.ErrorContains(t, d.Apply(t.Context(), at, order("2", 1)), "401")

	require.Equal(t, http.StatusNoContent, control(t, at, `{"unreachable": true}`))
	_, err := d.Observe(t.Context(), at, "demo")
	require.ErrorContains(t, err, "EOF")
	require.Equal(t, http.StatusNoContent, control(t, at, `{"unreachable": false, "release": "drifted"}`))
	s, err := d.Observe(t.Context(), at, "demo")
	require.NoError(t, err)
	require.Equal(t, "drifted", s.Release)
	require.True(t, f.Log()[0].Drift)

	require.Equal(t, http.StatusNoContent, control(t, at, `{"release": "by hand", "delay": "1h"}`))
	require.Equal(t, http.StatusBadRequest, control(t, at, `{"relaese": "x"}`))
	require.Equal(t, http.StatusBadRequest, control(t, at, `{"delay": "1"}`))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = d.Observe(ctx, at, "demo")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, "by hand", f.State()[0].Release)
}

// A fleet may answer late from its start, which it does again after a restart.
func TestEveryTargetIsLate(t *testing.T) {
	f := start(t, newClock(), sim.Options{Delay: time.Hour})
	d, at := newDriver(t), f.Inventory().Targets[0]
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := d.Observe(ctx, at, "demo")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, http.StatusNoContent, control(t, at, `{"delay": "0s"}`))
	_, err = d.Observe(t.Context(), at, "demo")
	require.NoError(t, err)
}

// With a state folder a simulation goes on where another was killed, and has served what one that
// was never killed would have.
func TestStateSurvives(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	o := sim.Options{Targets: 3, Seed: 7, StateDir: dir}
	whole := start(t, c, sim.Options{Targets: 3, Seed: 7})
	first := start(t, c, o)
	d := newDriver(t)
	both := func(f *sim.Fleet) {
		at := f.Inventory().Targets[1]
		_ = d.Apply(t.Context(), at, order("2-flaky", 2))
		_ = d.Apply(t.Context(), at, order("2-flaky", 2))
		_ = d.Apply(t.Context(), at, order("1", 1))
	}
	c.pass(time.Minute)
	both(whole)
	both(first)
	for _, f := range []*sim.Fleet{first, whole} {
		require.Equal(t, http.StatusNoContent, control(t, f.Inventory().Targets[2], `{"release": "drifted"}`))
	}
	require.NoError(t, first.Close())

	// A kill in the middle of a write leaves half a line.
	path := filepath.Join(dir, "sim.jsonl")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"time":"2026-01-02T`)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	second := start(t, c, o)
	c.pass(time.Minute)
	require.Equal(t, whole.State(), second.State())
	require.Equal(t, whole.Log(), second.Log())
	require.NoError(t, d.Apply(t.Context(), second.Inventory().Targets[0], order("3", 9)))
	require.NoError(t, second.Close())
	third := start(t, c, o)
	require.Equal(t, second.State(), third.State())

	o.Seed = 8
	_, err = sim.Start(t.Context(), o)
	require.ErrorContains(t, err, "another simulation")
}

func TestInventory(t *testing.T) {
	f := start(t, newClock(), sim.Options{Targets: 60})
	inv := f.Inventory()
	require.Len(t, inv.Targets, 60)
	require.Equal(t, map[string][]string{"region": {"ap", "eu", "us"}, "tier": {"free", "internal", "paying"}}, inv.LabelValues())
	internal := 0
	for _, at := range inv.Targets {
		if at.Matches(map[string]string{"tier": "internal"}) {
			internal++
		}
	}
	require.Equal(t, 6, internal)
	require.Contains(t, string(f.FleetFile()),
		`  - {id: eu-01, address: "`+strings.TrimPrefix(f.URL(), "http://")+`/t/eu-01", labels: {region: eu, tier: internal}}`)
	_, _, err := fleet.Encode(inv)
	require.NoError(t, err)
}

func TestStartRefuses(t *testing.T) {
	for _, o := range []sim.Options{{Targets: -1}, {Targets: 1 << 20}, {RPS: -1}, {Listen: "nowhere:x"}} {
		_, err := sim.Start(t.Context(), o)
		require.Error(t, err, "%+v", o)
	}
}

func TestTenThousandTargets(t *testing.T) {
	c := newClock()
	f := start(t, c, sim.Options{Targets: 10_000, RPS: 2})
	c.pass(time.Minute)
	all, _ := requests(t, f.URL()+"/metrics")
	require.InEpsilon(t, 10_000*2*60, all, 0.01)
	require.Len(t, f.State(), 10_000)
}

func BenchmarkServe10kTargetsOneMinute(b *testing.B) {
	c := newClock()
	f, err := sim.Start(b.Context(), sim.Options{Targets: 10_000, Now: c.now})
	require.NoError(b, err)
	defer f.Close()
	for b.Loop() {
		c.pass(time.Minute)
		f.State()
	}
}
