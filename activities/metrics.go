package activities

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/health"
)

// Metrics are what a worker counts of its activities.
type Metrics struct {
	verdicts *prometheus.CounterVec
	targets  *prometheus.CounterVec
	apply    prometheus.Histogram
	rollback prometheus.Histogram
}

// durations are bucket bounds in seconds, from one quick target to a batch that
// waits for its rollback's deadline.
var durations = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}

// NewMetrics registers the metrics in r. It panics when they are there already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_verdicts_total", Help: "Verdicts given, one per check and look.",
		}, []string{"verdict"}),
		targets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_targets_total", Help: "Targets worked on: exposed to a release, reverted, or failed.",
		}, []string{"result"}),
		apply: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_apply_batch_seconds", Help: "Time to apply a batch.", Buckets: durations,
		}),
		rollback: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_rollback_batch_seconds", Help: "Time to revert a batch and see it back.", Buckets: durations,
		}),
	}
	r.MustRegister(m.verdicts, m.targets, m.apply, m.rollback)
	return m
}

func (m *Metrics) applied(began time.Time, changed, failed int) {
	m.apply.Observe(time.Since(began).Seconds())
	m.targets.WithLabelValues("exposed").Add(float64(changed))
	m.targets.WithLabelValues("apply_failed").Add(float64(failed))
}

func (m *Metrics) reverted(began time.Time, back, failed int) {
	m.rollback.Observe(time.Since(began).Seconds())
	m.targets.WithLabelValues("reverted").Add(float64(back))
	m.targets.WithLabelValues("revert_failed").Add(float64(failed))
}

func (m *Metrics) judged(r health.Report) {
	for _, res := range r.Results {
		m.verdicts.WithLabelValues(cmp.Or(string(res.Verdict), string(res.Standing))).Inc()
	}
}
