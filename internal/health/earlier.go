package health

import (
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
)

// MostEarlier is how many earlier rollouts are kept in mind.
const MostEarlier = 10

// usualRows are the newest rows of a past, at most so many, that no earlier rollout
// touched. The newest row ends at a moment.
func usualRows[R any](rows []R, most int, end time.Time, step time.Duration, spans []source.Span) []R {
	var out []R
	for i, row := range rows {
		to := end.Add(-time.Duration(len(rows)-1-i) * step)
		if !source.During(spans, to.Add(-step), to, step) {
			out = append(out, row)
		}
	}
	return out[max(0, len(out)-most):]
}

// quiet is since when no earlier rollout has touched the targets; zero where none did.
func (b Binding) quiet() time.Time {
	var newest time.Time
	for _, s := range b.Earlier {
		newest = source.Later(newest, s.To)
	}
	return newest
}
