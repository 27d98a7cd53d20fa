package scrape

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
)

// Increase is what the newest read has shown.
func (s *pages) Increase(
	ctx context.Context, expr string, a source.Arm, w source.Window, t *source.Tally, l source.OnEmpty,
) source.Reading {
	r := s.Count(ctx, expr, a, w, l)
	if r.Verdict != "" {
		return r
	}
	r.Value = 0
	if s.isNew(t.From) && len(s.newest.Counts) > 0 {
		r.Value = s.newest.Counts[slices.Index(s.exprs, expr)][a]
		t.From = s.newest.At
	}
	return r
}

// isNew says that the newest read came after a moment, or that this is from a clock so far
// ahead that nothing tells when it was.
func (s *pages) isNew(counted time.Time) bool {
	return s.newest.At.After(counted) || counted.Sub(s.newest.At) > s.gap
}
