package health

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// span is a window of which events up to since were counted before.
type span struct {
	window
	since time.Time
}

// events reads a check's bad and total events, by what reads one expression. Of a
// histogram those above the bound are all but those that are not.
func (m *Meter) events(ctx context.Context, c spec.Check, w window, read func(expr string, l lack) reading) ratio {
	total := read(c.Whole(c.Total, m.spec), lackIsUnknown)
	if total.verdict != "" {
		return ratio{total: total}
	}
	if c.Slow == nil {
		return ratio{bad: read(c.Whole(c.Bad, m.spec), lackIsNone), total: total}
	}
	within := read(c.Bad, lackIsUnknown)
	if within.empty {
		within = notABound(within, float64(c.Slow.Over), m.source.bounds(ctx, c.Slow.Histogram, w))
	}
	within.value = total.value - within.value
	return ratio{bad: within, total: total}
}

// added asks for the whole window, and for the part of it that was counted before:
// both begin together, so that their difference is what came since.
func (p *prometheus) added(ctx context.Context, expr string, a arm, s span, l lack) reading {
	whole := p.ask(ctx, expr, a, s.window, l).counted()
	if whole.verdict != "" || !s.since.After(s.from) {
		return whole
	}
	query, err := p.fill(expr, a, window{from: s.from, at: s.since})
	if err != nil {
		return noData(expr, "the query cannot be filled: %s", err)
	}
	switch before := p.query(ctx, query, s.since).counted(); {
	case before.verdict == "":
		whole.value -= before.value
	case !before.empty:
		before.query = query
		return before
	}
	return whole
}

// added is what the newest read has shown.
func (s *scrape) added(ctx context.Context, expr string, a arm, sp span, l lack) reading {
	r := s.count(ctx, expr, a, sp.window, l)
	if r.verdict != "" {
		return r
	}
	r.value = 0
	if s.newest.At.After(sp.since) && len(s.newest.Counts) > 0 {
		r.value = s.newest.Counts[slices.Index(s.exprs, expr)][a]
	}
	return r
}

func (nothing) added(_ context.Context, expr string, _ arm, _ span, _ lack) reading {
	return noData(expr, "the spec has no source")
}
