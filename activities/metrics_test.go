package activities

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
)

// Every metric tells units apart.
func TestMetricsHaveAUnit(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := NewMetrics(r)
	for _, unit := range []string{"edge", "core"} {
		m.applied(unit, time.Now(), 3, 1)
		m.reverted(unit, time.Now(), 2, 0)
		m.judged(unit, health.Report{Results: []health.Result{{Verdict: health.Pass}, {Standing: health.Suspicious}}})
	}
	families, err := r.Gather()
	require.NoError(t, err)
	require.Len(t, families, 4)
	for _, f := range families {
		units := map[string]bool{}
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				if l.GetName() == "unit" {
					units[l.GetValue()] = true
				}
			}
		}
		require.Equal(t, map[string]bool{"edge": true, "core": true}, units, f.GetName())
	}
}
