package health

import (
	"context"
	"slices"
	"time"
)

// times are when samples count in a look.
func (s *scrape) times(w window) times {
	return times{at: later(w.at, s.kept.At), begin: s.begin, after: s.spec.StaleAfter, ahead: ahead(s.spec, time.Since(s.began))}
}

// when is the time of a sample: now, unless the page says another.
func when(said, now time.Time) time.Time {
	if said.IsZero() {
		return now
	}
	return said
}

// note adds what a page shows of an expression.
func note(in map[string]*shown, expr, id string, v *float64, newest time.Time, wrong string) {
	if v == nil && wrong == "" {
		return
	}
	if in[expr] == nil {
		in[expr] = &shown{of: map[string]reading{}, stamps: map[string]time.Time{}}
	}
	switch e := in[expr]; {
	case wrong != "":
		e.wrong = id + ": " + cut(wrong, 200)
		e.of[id] = noData("", "%s", cut(wrong, 200))
	default:
		e.values = append(e.values, *v)
		e.of[id], e.stamps[id] = reading{value: *v}, newest
		e.newest = later(e.newest, newest)
	}
}

// readable refuses an arm of whose pages less than half could be read, and an
// expression that no page answers with a number.
func (s *scrape) readable(expr string, a arm, in map[string]*shown) (*shown, reading) {
	e, pages, all := in[expr], s.seen[a].pages, len(s.arms[a])
	switch {
	case all == 0:
		return nil, noData(expr, "no target to read")
	case 2*pages < all:
		return nil, noData(expr, "%d of %d metrics pages could not be read (%s)", all-pages, all, s.seen[a].why)
	case e == nil:
		r := noData(expr, "no page has the series")
		r.empty = true
		return nil, r
	case e.wrong != "":
		return nil, noData(expr, "%s", e.wrong)
	}
	return e, reading{query: expr}
}

func (s *scrape) count(_ context.Context, expr string, a arm, w window, l lack) reading {
	i := slices.Index(s.exprs, expr)
	if i < 0 {
		return noData(expr, "the expression is not one of the spec's")
	}
	e, r := s.readable(expr, a, s.seen[a].counts)
	switch {
	case r.empty && l == lackIsNone && (s.seen[exposed].known[expr] || s.seen[control].known[expr]):
		e, r = &shown{newest: w.at}, reading{query: expr}
	case r.empty && l == lackIsNone:
		r.why = "no page at all has the metric with these labels: is a name misspelt, or does the counter appear only with its first event?"
		return r
	case r.verdict != "":
		return r
	}
	var covered, unsteady float64
	var newest time.Time
	r.steady = new(0.0)
	for _, p := range s.kept.Parts {
		if p.At.After(w.from) {
			r.value += p.Counts[i][a]
			*r.steady += p.Counts[i][a]
			if p.Restarted != nil {
				*r.steady -= p.Restarted.Counts[i][a]
				unsteady += p.Restarted.Seconds[a]
			}
			r.span += p.length()
			covered += p.Seconds[a]
			if p.Seconds[a] > 0 {
				newest = p.At
			}
		}
	}
	if r.span <= 0 || covered <= 0 {
		r.verdict, r.why = Unexercised, "the pages were read only once since the stage was applied"
		return r
	}
	r.covered = (covered - unsteady) / (float64(len(s.arms[a])) * r.span.Seconds())
	for _, sampled := range []time.Time{newest, e.newest} {
		if old := s.times(w).aged(sampled); old.verdict != "" {
			r.verdict, r.why = old.verdict, old.why
		}
	}
	return r.counted()
}

// gauge is the mean over the exposed targets that show the number.
func (s *scrape) gauge(_ context.Context, expr string, w window) reading {
	e, r := s.readable(expr, exposed, s.seen[exposed].gauges)
	if r.verdict != "" {
		return r
	}
	for _, v := range e.values {
		r.value += v / float64(len(e.values))
	}
	if old := s.times(w).aged(e.newest); old.verdict != "" {
		r.verdict, r.why = old.verdict, old.why
	}
	return r.usable()
}
