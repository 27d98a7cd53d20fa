package health

import (
	"context"
	"slices"
	"time"
)

// added is what the newest read has shown.
func (s *scrape) added(ctx context.Context, expr string, a arm, w window, t *Tally, l lack) reading {
	r := s.count(ctx, expr, a, w, l)
	if r.verdict != "" {
		return r
	}
	r.value = 0
	if s.isNew(t.From) && len(s.newest.Counts) > 0 {
		r.value = s.newest.Counts[slices.Index(s.exprs, expr)][a]
		t.From = s.newest.At
	}
	return r
}

// isNew says that the newest read came after a moment, or that this is from a clock so far
// ahead that nothing tells when it was.
func (s *scrape) isNew(counted time.Time) bool {
	return s.newest.At.After(counted) || counted.Sub(s.newest.At) > s.gap
}
