package connect

import (
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

func gather(t *testing.T, r *prometheus.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	out := map[string]*dto.MetricFamily{}
	for _, f := range families {
		out[f.GetName()] = f
	}
	return out
}

func labels(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, l := range m.GetLabel() {
		out[l.GetName()] = l.GetValue()
	}
	return out
}

func TestMetricsHandlerKinds(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	h, err := NewMetricsHandler(r)
	require.NoError(t, err)
	h.Counter("requests").Inc(2)
	h.Counter("requests").Inc(3)
	h.Gauge("slots").Update(7)
	h.Gauge("slots").Update(4)
	for _, d := range []time.Duration{time.Millisecond, 30 * time.Millisecond, time.Hour} {
		h.Timer("latency").Record(d)
	}
	all := gather(t, r)
	require.InDelta(t, 5, all["requests_total"].Metric[0].Counter.GetValue(), 0)
	require.InDelta(t, 4, all["slots"].Metric[0].Gauge.GetValue(), 0)
	hist := all["latency_seconds"].Metric[0].Histogram
	require.EqualValues(t, 3, hist.GetSampleCount())
	require.InDelta(t, 3600.031, hist.GetSampleSum(), 1e-9)
	cumulative := map[float64]uint64{}
	for _, b := range hist.GetBucket() {
		cumulative[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	require.EqualValues(t, 1, cumulative[.001], "a value on the bound is inside it")
	require.EqualValues(t, 1, cumulative[.025])
	require.EqualValues(t, 2, cumulative[.05])
	require.EqualValues(t, 2, cumulative[1800], "beyond all bounds")
}

func TestMetricsHandlerVaryingTags(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	h, err := NewMetricsHandler(r)
	require.NoError(t, err)
	h.Counter("polls").Inc(1)
	h.WithTags(map[string]string{"worker-type": "Activity"}).Counter("polls").Inc(2)
	h.WithTags(map[string]string{"worker-type": "Activity"}).WithTags(map[string]string{"queue": "sluice"}).Counter("polls").Inc(4)
	got := map[float64]map[string]string{}
	for _, m := range gather(t, r)["polls_total"].Metric {
		got[m.Counter.GetValue()] = labels(m)
	}
	require.Equal(t, map[float64]map[string]string{
		1: {},
		2: {"worker_type": "Activity"},
		4: {"worker_type": "Activity", "queue": "sluice"},
	}, got)
}

func TestMetricsHandlerOneNameTwoKinds(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	h, err := NewMetricsHandler(r)
	require.NoError(t, err)
	h.Gauge("x_total").Update(1)
	h.Counter("x").Inc(9)
	f := gather(t, r)["x_total"]
	require.Len(t, f.Metric, 1)
	require.InDelta(t, 1, f.Metric[0].Gauge.GetValue(), 0)
}

func TestMetricsHandlerNames(t *testing.T) {
	require.Equal(t, "a_b_total", metricName("a-b", counterSuffix))
	require.Equal(t, "a_total", metricName("a_total", counterSuffix))
	require.Equal(t, "_9_seconds", metricName("9", timerSuffix))
	require.Equal(t, "a_b", labelName("a:b"))
}

func TestMetricsHandlerConcurrent(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	h, err := NewMetricsHandler(r)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				h.WithTags(map[string]string{"n": string(rune('a' + i%3))}).Counter("c").Inc(1)
				h.Timer("t").Record(time.Second)
			}
		})
		_, err := r.Gather()
		require.NoError(t, err)
	}
	wg.Wait()
	var sum float64
	for _, m := range gather(t, r)["c_total"].Metric {
		sum += m.Counter.GetValue()
	}
	require.InDelta(t, 1600, sum, 0)
}
