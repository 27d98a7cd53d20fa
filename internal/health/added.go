package health

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// Tally is what was counted of an expression so far, and since when: what a source
// counts later than that is new. Its zero value has counted nothing.
type Tally struct {
	From    time.Time `json:"from,omitzero"`
	Counted float64   `json:"counted,omitempty"`
}

// events reads a check's bad and total events, by what reads one expression: the total,
// which is 0, or the bad ones, 1. Of a histogram those above the bound are all but those
// that are not; where there is no classic one, a native one is asked.
func (m *Meter) events(ctx context.Context, c spec.Check, w window, read func(expr string, which int, l lack) reading) ratio {
	total := read(c.Whole(c.Total, m.spec), 0, lackIsUnknown)
	if total.empty && c.Slow != nil && m.spec.Prometheus != "" {
		if again := read(native(c).Total, 0, lackIsUnknown); !again.empty {
			c, total = native(c), again
		}
	}
	if total.verdict != "" {
		return ratio{total: total}
	}
	if c.Slow == nil {
		return ratio{bad: read(c.Whole(c.Bad, m.spec), 1, lackIsNone), total: total}
	}
	within := read(c.Bad, 1, lackIsUnknown)
	if within.empty {
		within = notABound(within, float64(c.Slow.Over), m.source.bounds(ctx, c.Slow.Histogram, w))
	}
	within.value = total.value - within.value
	return ratio{bad: within, total: total}
}

// added asks for everything since the tally began, of which what is more than before is
// new: so events count once, also those of which the source hears late. A range that
// grew longer than the window begins anew, half a window ago.
func (p *prometheus) added(ctx context.Context, expr string, a arm, w window, t *Tally, l lack) reading {
	if t.From.IsZero() || !t.From.Before(w.at) || w.at.Sub(t.From) > 2*p.spec.Window.Std() {
		*t = Tally{From: w.from}
	}
	whole := p.ask(ctx, expr, a, window{from: t.From, at: w.at}, l).counted()
	if whole.verdict != "" {
		return whole
	}
	sum := whole.value
	whole.value = max(0, sum-t.Counted)
	t.Counted = max(t.Counted, sum)
	if begin := w.at.Add(-p.spec.Window.Std() / 2); w.at.Sub(t.From) > p.spec.Window.Std() {
		rest := p.ask(ctx, expr, a, window{from: begin, at: w.at}, l).counted()
		if rest.verdict != "" { // the look as a whole is made up for by the next
			return rest
		}
		*t = Tally{From: begin, Counted: rest.value}
	}
	return whole
}

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

func (nothing) added(_ context.Context, expr string, _ arm, _ window, _ *Tally, _ lack) reading {
	return noData(expr, "the spec has no source")
}
