package health

import (
	"context"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/sequential"
)

const (
	day = 24 * time.Hour
	// mostDaily is how much the time of day may explain: more is an incident of the day before.
	mostDaily = 3
	// surely is how many standard errors a rise is taken to be smaller than it looks.
	surely = 1.645
)

// daily is how many times as large the share of bad events was a day ago, in the time in which the
// stage will bake, as in the time before that; 0 where chance explains it, or the source does not
// reach back so far, or an earlier rollout ran then. A check that has no control cannot tell
// otherwise what comes with the hour.
func (m *comparisonCheck) daily(ctx context.Context, at time.Time, part *comparison, past pastSpan) float64 {
	long, step := past.long, past.step
	bake := m.binding.Bake.Truncate(step)
	then := at.Add(-day)
	if bake < step || bake > day || source.During(m.binding.Earlier, then.Add(-long), then.Add(bake), step) {
		return 0
	}
	before, ok := m.countedAt(ctx, then, long, step, part)
	since, also := m.countedAt(ctx, then.Add(bake), bake, step, part)
	if !ok || !also {
		return 0
	}
	return rose(before, since)
}

// rose is by how many times a share of bad events grew, at least, and mostDaily at most; 0 where it
// may not have grown at all.
func rose(before, since sequential.Counts) float64 {
	if before.Bad <= 0 || since.Bad <= 0 || before.Total <= 0 || since.Total <= 0 {
		return 0
	}
	times := since.Bad / since.Total / (before.Bad / before.Total)
	doubt := surely * math.Sqrt(sequential.UsualBurst*(1/before.Bad+1/since.Bad))
	if least := times * math.Exp(-doubt); least > 1 {
		return min(least, mostDaily)
	}
	return 0
}

// countedAt is what the stage's targets counted in a span of the past. It is not ok where the
// source does not know.
func (m *comparisonCheck) countedAt(
	ctx context.Context, end time.Time, long, step time.Duration, part *comparison,
) (sum sequential.Counts, ok bool) {
	for _, st := range part.strata {
		rows := make([][]float64, int(long/step))
		if r := addPast(ctx, m.check, st.source, source.Exposed, end, step, rows); r.Verdict != "" {
			return sum, false
		}
		for _, row := range rows {
			sum.Bad, sum.Total = sum.Bad+row[0], sum.Total+row[1]
		}
	}
	return sum, true
}
