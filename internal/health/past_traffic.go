package health

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
)

// unsteady is how requests went up and down before the stage.
func (m trafficCheck) unsteady(ctx context.Context, at time.Time) judge.Unsteady {
	alone, every := len(m.binding.Control) == 0, m.spec.Every.Std()
	long, step := LongPast(m.binding.Bake, every)
	own := m.totals(ctx, source.Exposed, at, int(long/step), step)
	if own == nil { // a source may refuse to read so much
		long, step = PastSpan(m.binding.Bake, every)
		own = m.totals(ctx, source.Exposed, at, int(long/step), step)
	}
	return judge.UnsteadyOf(own, m.totals(ctx, source.Control, at, int(long/step), step), step, m.binding.Bake, alone)
}

// totals are an arm's requests before the stage, look by look; none where they are not known.
func (m trafficCheck) totals(ctx context.Context, a source.Arm, at time.Time, looks int, step time.Duration) []float64 {
	if a == source.Control && len(m.binding.Control) == 0 {
		return nil
	}
	if kept, ok := m.source.(source.Memory); ok {
		if looks := kept.BaselineLooks(m.spec.Traffic, a); looks != nil {
			return looks
		}
	}
	past, r := source.HistoryOf(m.source).Past(ctx, m.spec.Traffic, a, at, looks, step)
	if r.Verdict != "" {
		return nil
	}
	return usualRows(past, looks, at, step, m.binding.Earlier)
}
