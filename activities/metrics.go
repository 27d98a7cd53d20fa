package activities

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/health"
)

// Metrics are what a worker counts of its activities, by unit.
type Metrics struct {
	verdicts *prometheus.CounterVec
	targets  *prometheus.CounterVec
	apply    *prometheus.HistogramVec
	rollback *prometheus.HistogramVec
}

// durations are bucket bounds in seconds, from one quick target to a batch that waits for its
// rollback's deadline.
var durations = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}

// NewMetrics registers the metrics in r. It panics when they are there already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_verdicts_total", Help: "Verdicts given, one per check and look.",
		}, []string{"unit", "verdict"}),
		targets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_targets_total", Help: "Targets worked on: exposed to a release, reverted, or failed.",
		}, []string{"unit", "result"}),
		apply: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_apply_batch_seconds", Help: "Time to apply a batch.", Buckets: durations,
		}, []string{"unit"}),
		rollback: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_rollback_batch_seconds", Help: "Time to revert a batch and see it back.", Buckets: durations,
		}, []string{"unit"}),
	}
	r.MustRegister(m.verdicts, m.targets, m.apply, m.rollback)
	return m
}

func (m *Metrics) applied(unit string, began time.Time, changed, failed int) {
	m.apply.WithLabelValues(unit).Observe(time.Since(began).Seconds())
	m.targets.WithLabelValues(unit, "exposed").Add(float64(changed))
	m.targets.WithLabelValues(unit, "apply_failed").Add(float64(failed))
}

func (m *Metrics) reverted(unit string, began time.Time, back, failed int) {
	m.rollback.WithLabelValues(unit).Observe(time.Since(began).Seconds())
	m.targets.WithLabelValues(unit, "reverted").Add(float64(back))
	m.targets.WithLabelValues(unit, "revert_failed").Add(float64(failed))
}

func (m *Metrics) judged(unit string, r health.Report) {
	for _, res := range r.Results {
		m.verdicts.WithLabelValues(unit, cmp.Or(string(res.Verdict), string(res.Standing))).Inc()
	}
}
