package connect

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// Suffixes follow Prometheus' naming: a counter is a total, a timer is seconds. A gauge has none.
const (
	counterSuffix = "_total"
	timerSuffix   = "_seconds"
)

// bounds of a timer's buckets in seconds: from one call to a whole activity.
var bounds = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}

// NewMetricsHandler registers a collector in r and answers the handler that fills it. Counters end
// in _total and timers, which become histograms, in _seconds. One name may come with different
// tags. A name that was used for one kind of metric drops samples of another. It is safe for
// concurrent use; make one per registry.
func NewMetricsHandler(r prometheus.Registerer) (client.MetricsHandler, error) {
	c := &collector{families: map[string]family{}}
	if err := r.Register(c); err != nil {
		return nil, fmt.Errorf("register Temporal's metrics: %w", err)
	}
	return handler{collector: c}, nil
}

// handler is a view on the collector with some tags.
type handler struct {
	collector *collector
	tags      map[string]string
}

// WithTags adds tags to those of the handler.
func (h handler) WithTags(tags map[string]string) client.MetricsHandler {
	merged := make(map[string]string, len(h.tags)+len(tags))
	maps.Copy(merged, h.tags)
	for k, v := range tags {
		merged[labelName(k)] = strings.ToValidUTF8(v, "�")
	}
	return handler{collector: h.collector, tags: merged}
}

// Counter answers a counter with the handler's tags.
func (h handler) Counter(name string) client.MetricsCounter {
	m := series(h, name, counterSuffix, func(o prometheus.Opts) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(o))
	})
	return counterFunc(func(n int64) { m.Add(float64(max(0, n))) }) // a counter that falls panics
}

// Gauge answers a gauge with the handler's tags.
func (h handler) Gauge(name string) client.MetricsGauge {
	m := series(h, name, "", func(o prometheus.Opts) prometheus.Gauge { return prometheus.NewGauge(prometheus.GaugeOpts(o)) })
	return gaugeFunc(m.Set)
}

// Timer answers a histogram in seconds with the handler's tags.
func (h handler) Timer(name string) client.MetricsTimer {
	m := series(h, name, timerSuffix, func(o prometheus.Opts) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: o.Name, Help: o.Help, ConstLabels: o.ConstLabels, Buckets: bounds})
	})
	return timerFunc(func(d time.Duration) { m.Observe(d.Seconds()) })
}

type (
	counterFunc func(int64)
	gaugeFunc   func(float64)
	timerFunc   func(time.Duration)
)

func (f counterFunc) Inc(n int64)          { f(n) }
func (f gaugeFunc) Update(v float64)       { f(v) }
func (f timerFunc) Record(d time.Duration) { f(d) }

// collector keeps the metrics. It describes nothing ahead, since the SDK names its metrics only as
// it goes.
type collector struct {
	mu       sync.Mutex
	families map[string]family
}

// family is every series of one name, by its tags. Its suffix tells the kind.
type family struct {
	suffix string
	series map[string]prometheus.Metric
}

// series finds or makes a series.
func series[M prometheus.Metric](h handler, name, suffix string, open func(prometheus.Opts) M) M {
	name = metricName(name, suffix)
	key := fmt.Sprintf("%q", h.tags) // the same for the same tags, in whatever order
	c := h.collector
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.families[name]
	if !ok {
		f = family{suffix: suffix, series: map[string]prometheus.Metric{}}
		c.families[name] = f
	}
	if m, ok := f.series[key].(M); ok && f.suffix == suffix {
		return m
	}
	m := open(prometheus.Opts{Name: name, Help: "Reported by Temporal's SDK or a workflow.", ConstLabels: h.tags})
	if f.suffix == suffix { // else nobody reads it
		f.series[key] = m
	}
	return m
}

// Describe sends nothing: the collector is unchecked.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends every series.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.families {
		for _, m := range f.series {
			out <- m
		}
	}
}

func metricName(name, suffix string) string {
	name = clean(name, ':')
	if !strings.HasSuffix(name, suffix) {
		name += suffix
	}
	return name
}

func labelName(name string) string { return clean(name, '_') }

// clean replaces what a metric's or label's name may not hold.
func clean(name string, also rune) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == also || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}
