package health

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/sequential"
)

// bursts is how many requests counted as one before the stage.
func (m trafficCheck) bursts(ctx context.Context, at time.Time) float64 {
	long, step := PastSpan(m.binding.Bake, m.spec.Every.Std())
	own := m.totals(ctx, source.Exposed, at, int(long/step), step)
	return burstsOf(own, m.totals(ctx, source.Control, at, int(long/step), step), len(m.binding.Control) > 0)
}

// burstsOf is how many requests count as one: by how much more than chance their number
// differs between looks. It is the larger of two estimates: from the split between the arms,
// where there are two, and from neighbouring looks of the first arm. Example: requests that
// always come in fours give 4.
func burstsOf(own, others []float64, two bool) float64 {
	var split, steps []sequential.Pair
	pair := func(a, b float64) sequential.Pair {
		return sequential.Pair{Exposed: sequential.Counts{Bad: a, Total: 1}, Control: sequential.Counts{Bad: b, Total: 1}}
	}
	for i := range min(len(own), len(others)) {
		split = append(split, pair(own[i], others[i]))
	}
	for i := 0; i+1 < len(own); i += 2 {
		steps = append(steps, pair(own[i], own[i+1]))
	}
	size := 1.0
	for _, looks := range [][]sequential.Pair{split, steps} {
		switch d := sequential.Split(looks); {
		case len(looks) == 0 && !two:
		case !d.Known():
			size = max(size, sequential.UsualBurst)
		case d.Excess():
			size = max(size, d.High())
		}
	}
	return size
}

// totals are an arm's requests before the stage, look by look; none where they are not
// known.
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

// fewByChance is how likely it is, at most, that so few requests are an arm's by chance, of
// all there were, when each is with such a probability. So many count as one.
func fewByChance(mine, all, probability, bursts float64) float64 {
	bursts = max(1, bursts)
	return binomialTail((all-mine)/bursts, all/bursts, 1-probability)
}
