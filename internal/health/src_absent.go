package health

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// perTargetOf is what a source shows of every target; nothing, where it cannot.
func perTargetOf(s source) perTarget {
	if p, ok := s.(perTarget); ok {
		return p
	}
	return absent{}
}

// historyOf is a source's past; nothing, where it has none.
func historyOf(s source) history {
	if h, ok := s.(history); ok {
		return h
	}
	return absent{}
}

// histogramsOf are a source's histograms; none, where it has none.
func histogramsOf(s source) histograms {
	if h, ok := s.(histograms); ok {
		return h
	}
	return absent{}
}

// absent is what a source lacks: it knows nothing.
type absent struct{}

func (absent) counts(_ context.Context, expr string, _ window, _ lack) spread {
	return spread{reading: noData(expr, "the source does not tell one target from another")}
}

func (absent) gauges(_ context.Context, expr string, _ arm, _ window) spread {
	return spread{reading: noData(expr, "the source does not tell one target from another")}
}

func (absent) usual(context.Context, string, arm, window, time.Duration, time.Duration) map[string]float64 {
	return nil
}

func (absent) past(_ context.Context, expr string, _ arm, _ time.Time, _ int, _ time.Duration) ([]float64, reading) {
	return nil, noData(expr, "the source has no past")
}

func (absent) numbers(context.Context, string, arm, []string, time.Time, int, time.Duration) ([][]float64, bool) {
	return nil, false
}

func (absent) density(context.Context, string, window) float64 { return 0 }

func (absent) misspelt(context.Context, string, time.Time) string { return "" }

func (absent) slow(spec.Slow) []slowQueries { return nil }

func (absent) bounds(context.Context, string, window) []float64 { return nil }
