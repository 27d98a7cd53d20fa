package scrape

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
)

// times are when samples count in a look.
func (s *pages) times(w source.Window) source.Times {
	return source.Times{
		At:    source.Later(w.At, s.kept.At),
		Begin: s.begin,
		After: s.spec.StaleAfter,
		Ahead: source.Ahead(s.spec, time.Since(s.began)),
	}
}

// when is the time of a sample: now, unless the page says another. What it says is by the target's
// clock, and so is when it was written.
func (pg page) when(said, now time.Time) time.Time {
	switch {
	case said.IsZero():
		return now
	case pg.written.IsZero():
		return said
	}
	return now.Add(said.Sub(pg.written))
}

// note adds what a page shows of an expression.
func note(in map[string]*shown, expr, id string, v *float64, newest time.Time, wrong string) {
	if v == nil && wrong == "" {
		return
	}
	if in[expr] == nil {
		in[expr] = &shown{of: map[string]source.Reading{}, stamps: map[string]time.Time{}}
	}
	switch e := in[expr]; {
	case wrong != "":
		e.wrong = id + ": " + source.Cut(wrong, 200)
		e.of[id] = source.NoData("", "%s", source.Cut(wrong, 200))
	default:
		e.values = append(e.values, *v)
		e.of[id], e.stamps[id] = source.Reading{Value: *v}, newest
		e.newest = source.Later(e.newest, newest)
	}
}

// unseen says that an expression was seen on no page, not even at 0.
func unseen(expr string) string {
	return fmt.Sprintf("none of these pages shows %s: is a name misspelt, has the release renamed it, "+
		"or does the counter appear only with its first event?", source.Cut(expr, 80))
}

// readable refuses an arm of whose pages less than half could be read, and an expression that no
// page has.
func (s *pages) readable(expr string, a source.Arm, in map[string]*shown) (*shown, source.Reading) {
	e, pages, all := in[expr], s.seen[a].pages, len(s.arms[a])
	switch {
	case all == 0:
		return e, source.NoData(expr, "no target to read")
	case 2*pages < all:
		r := source.NoData(expr, "%d of %d metrics pages could not be read (%s)", all-pages, all, s.seen[a].why)
		r.Refused = s.seen[a].denied
		return e, r
	case e == nil:
		r := source.NoData(expr, "no page has a series such as %s: is the name misspelt?", source.Cut(expr, 80))
		r.Empty = true
		return e, r
	}
	return e, source.Reading{Query: expr}
}

// whole refuses, beside what readable does, an expression that some page answers with what is no
// number.
func (s *pages) whole(expr string, a source.Arm, in map[string]*shown) (*shown, source.Reading) {
	e, r := s.readable(expr, a, in)
	if r.Verdict == "" && e.wrong != "" {
		r = source.NoData(expr, "%s", e.wrong)
	}
	return e, r
}

func (s *pages) Count(_ context.Context, expr string, a source.Arm, w source.Window, l source.OnEmpty) source.Reading {
	i := slices.Index(s.exprs, expr)
	if i < 0 {
		return source.NoData(expr, "the expression is not one of the spec's")
	}
	e, r := s.whole(expr, a, s.seen[a].counts)
	if r.Verdict == "" || r.Empty {
		if lost := s.lost(expr, a, s.lacksCounter); lost.Verdict != "" {
			return lost
		}
	}
	switch {
	case r.Empty && l == source.EmptyIsZero && len(s.seen[a].known[expr]) > 0:
		if none := s.silenced(expr, a, i, w); none.Verdict != "" {
			return none
		}
		e, r = &shown{newest: w.At}, source.Reading{Query: expr}
	case r.Empty && l == source.EmptyIsZero:
		r.Why = unseen(expr)
		return r
	case r.Verdict != "":
		return r
	}
	var covered, unsteady float64
	var newest time.Time
	r.Steady = new(0.0)
	for _, p := range s.kept.Parts {
		if p.At.After(w.From) {
			r.Value += p.Counts[i][a]
			*r.Steady += p.Counts[i][a]
			if p.Restarted != nil {
				*r.Steady -= p.Restarted.Counts[i][a]
				unsteady += p.Restarted.Seconds[a]
			}
			r.Span += p.length()
			covered += p.Seconds[a]
			if p.Seconds[a] > 0 {
				newest = p.At
			}
		}
	}
	if r.Span <= 0 || covered <= 0 {
		r.Verdict, r.Why = judge.Unexercised, "the pages were read only once since the stage was applied"
		if old := s.times(w).Aged(e.newest); old.Verdict != "" {
			r.Verdict, r.Why = old.Verdict, old.Why
		}
		return r
	}
	r.Covered = (covered - unsteady) / (float64(len(s.arms[a])) * r.Span.Seconds())
	for _, sampled := range []time.Time{newest, e.newest} {
		if old := s.times(w).Aged(sampled); old.Verdict != "" {
			r.Verdict, r.Why = old.Verdict, old.Why
		}
	}
	return r.Counted()
}

// Gauge is the mean over the exposed targets that show the number.
func (s *pages) Gauge(_ context.Context, expr string, w source.Window) source.Reading {
	e, r := s.whole(expr, source.Exposed, s.seen[source.Exposed].gauges)
	if r.Verdict == "" || r.Empty {
		if lost := s.lost(expr, source.Exposed, s.lacksGauge); lost.Verdict != "" {
			return lost
		}
	}
	if r.Verdict != "" {
		return r
	}
	for _, v := range e.values {
		r.Value += v / float64(len(e.values))
	}
	if old := s.times(w).Aged(e.newest); old.Verdict != "" {
		r.Verdict, r.Why = old.Verdict, old.Why
	}
	return r.Usable()
}

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

// isNew says that the newest read came after a moment, or that this is from a clock so far ahead
// that nothing tells when it was.
func (s *pages) isNew(counted time.Time) bool {
	return s.newest.At.After(counted) || counted.Sub(s.newest.At) > s.gap
}
