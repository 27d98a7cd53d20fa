package connect

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// kind is what a metric's samples are.
type kind int

const (
	counter kind = iota
	gauge
	timer
)

// suffixes follow Prometheus' naming: a counter is a total, a timer is seconds.
var suffixes = map[kind]string{counter: "_total", timer: "_seconds"}

// bounds of a timer's buckets in seconds: from one call to a whole activity.
var bounds = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}

// NewMetricsHandler registers a collector in r and answers the handler that fills
// it. Counters end in _total and timers, which become histograms, in _seconds.
// One name may come with different tags: its series then all have the union of
// the tags as labels, empty where they were not given. A name that was used for
// one kind of metric drops samples of another. It is safe for concurrent use; make
// one per registry.
func NewMetricsHandler(r prometheus.Registerer) (client.MetricsHandler, error) {
	c := &collector{families: map[string]*family{}}
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
	s := h.collector.series(counter, name, h.tags)
	return counterFunc(func(n int64) { s.add(float64(n)) })
}

// Gauge answers a gauge with the handler's tags.
func (h handler) Gauge(name string) client.MetricsGauge {
	s := h.collector.series(gauge, name, h.tags)
	return gaugeFunc(s.set)
}

// Timer answers a histogram in seconds with the handler's tags.
func (h handler) Timer(name string) client.MetricsTimer {
	s := h.collector.series(timer, name, h.tags)
	return timerFunc(func(d time.Duration) { s.observe(d.Seconds()) })
}

type (
	counterFunc func(int64)
	gaugeFunc   func(float64)
	timerFunc   func(time.Duration)
)

func (f counterFunc) Inc(n int64)          { f(n) }
func (f gaugeFunc) Update(v float64)       { f(v) }
func (f timerFunc) Record(d time.Duration) { f(d) }

// collector keeps the samples. It describes nothing ahead, since the SDK names
// its metrics only as it goes.
type collector struct {
	mu       sync.RWMutex
	families map[string]*family
}

// family is every series of one name.
type family struct {
	kind   kind
	help   string
	labels []string // sorted union of the series' tags
	all    map[string]*series
}

// series is one metric with one set of tags.
type series struct {
	tags  map[string]string
	value atomic.Uint64 // bits of a float: a counter's or a gauge's

	mu     sync.Mutex // guards what follows: a histogram
	counts []uint64   // per bound, not cumulative; the last is beyond all bounds
	sum    float64
}

// series finds or makes a series.
func (c *collector) series(k kind, name string, tags map[string]string) *series {
	name = metricName(k, name)
	key := tagKey(tags)
	c.mu.RLock()
	f := c.families[name]
	if f != nil && f.kind == k && f.all[key] != nil {
		defer c.mu.RUnlock()
		return f.all[key]
	}
	c.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.create(k, name, key, tags)
}

// create makes a series; c.mu is held.
func (c *collector) create(k kind, name, key string, tags map[string]string) *series {
	s := &series{tags: tags, counts: make([]uint64, len(bounds)+1)}
	f := c.families[name]
	if f == nil {
		f = &family{kind: k, help: "Reported by Temporal's SDK or a workflow.", all: map[string]*series{}}
		c.families[name] = f
	}
	if f.kind != k {
		return s // known to nobody: its samples are dropped
	}
	if f.all[key] == nil {
		f.all[key] = s
		for label := range tags {
			if i, found := slices.BinarySearch(f.labels, label); !found {
				f.labels = slices.Insert(f.labels, i, label)
			}
		}
	}
	return f.all[key]
}

// Describe sends nothing: the collector is unchecked.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends every series.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for name, f := range c.families {
		desc := prometheus.NewDesc(name, f.help, f.labels, nil)
		for _, s := range f.all {
			out <- s.metric(desc, f)
		}
	}
}

func (s *series) metric(desc *prometheus.Desc, f *family) prometheus.Metric {
	values := make([]string, len(f.labels))
	for i, l := range f.labels {
		values[i] = s.tags[l]
	}
	var m prometheus.Metric
	var err error
	switch f.kind {
	case counter:
		m, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.load(), values...)
	case gauge:
		m, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.load(), values...)
	case timer:
		count, sum, buckets := s.histogram()
		m, err = prometheus.NewConstHistogram(desc, count, sum, buckets, values...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

func (s *series) load() float64 { return math.Float64frombits(s.value.Load()) }

func (s *series) set(v float64) { s.value.Store(math.Float64bits(v)) }

func (s *series) add(v float64) {
	for {
		old := s.value.Load()
		if s.value.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

func (s *series) observe(v float64) {
	i, _ := slices.BinarySearch(bounds, v)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[i]++
	s.sum += v
}

func (s *series) histogram() (count uint64, sum float64, buckets map[float64]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	buckets = make(map[float64]uint64, len(bounds))
	for i, n := range s.counts {
		count += n
		if i < len(bounds) {
			buckets[bounds[i]] = count
		}
	}
	return count, s.sum, buckets
}

func metricName(k kind, name string) string {
	name = clean(name, ':')
	if suffix := suffixes[k]; !strings.HasSuffix(name, suffix) {
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

// tagKey is the same for the same tags.
func tagKey(tags map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		fmt.Fprintf(&b, "%d:%s=%d:%s;", len(k), k, len(tags[k]), tags[k])
	}
	return b.String()
}
