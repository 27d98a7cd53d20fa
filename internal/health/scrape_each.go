package health

import (
	"context"
	"maps"
	"slices"
	"time"
)

// ScrapeEach is what the counters of single targets grew by in a span of time. Only
// exposed targets whose growth is known are in it.
type ScrapeEach struct {
	From time.Time `json:"from"`
	At   time.Time `json:"at"`
	// Counts are by target id, in the order of the spec's expressions that checks
	// ask of each target.
	Counts map[string][]float64 `json:"counts"`
}

// join is a part that covers both.
func (p ScrapeEach) join(next ScrapeEach) ScrapeEach {
	p.At, p.Counts = next.At, maps.Clone(p.Counts)
	for id, counts := range next.Counts {
		sum := slices.Clone(counts)
		for i, v := range p.Counts[id] {
			sum[i] += v
		}
		p.Counts[id] = sum
	}
	return p
}

// addEach keeps a part as add does. Its parts are few.
func (k *ScrapeState) addEach(part ScrapeEach, span time.Duration, from time.Time) {
	if len(part.Counts) == 0 {
		return
	}
	parts := slices.Clone(k.Each)
	if n := len(parts); n > 0 && part.At.Sub(parts[n-1].From) <= span {
		parts[n-1] = parts[n-1].join(part)
	} else {
		parts = append(parts, part)
	}
	k.Each = slices.DeleteFunc(parts, func(p ScrapeEach) bool { return !p.At.After(from) })
}

// keepEach readies counters of which single targets' growth is kept.
func (s *scrape) keepEach(exprs ...string) {
	for _, expr := range exprs {
		if expr != "" && !slices.Contains(s.single, expr) {
			s.single = append(s.single, expr)
		}
	}
}

// growthOfEach is the newest growth of what is kept of single targets.
func (s *scrape) growthOfEach(part ScrapePart) ScrapeEach {
	out := ScrapeEach{From: part.From, At: part.At, Counts: map[string][]float64{}}
	if len(s.single) == 0 {
		return out
	}
	for id, grew := range s.grew {
		counts := make([]float64, len(s.single))
		for i, expr := range s.single {
			counts[i] = grew[slices.Index(s.exprs, expr)]
		}
		out.Counts[id] = counts
	}
	return out
}

// counts is what every exposed target that can be read counted in the window.
func (s *scrape) counts(_ context.Context, expr string, w window, l lack) spread {
	i := slices.Index(s.single, expr)
	if i < 0 {
		return spread{reading: noData(expr, "the expression is not one that the spec asks of each target")}
	}
	out, e := s.spread(expr, exposed, s.seen[exposed].counts)
	known := s.seen[exposed].known[expr] || s.seen[control].known[expr]
	if out.empty && known {
		out.verdict, out.why, out.empty = "", "", false
	}
	if out.verdict != "" {
		if out.empty && l == lackIsNone {
			out.why = "no page at all has the metric with these labels: is a name misspelt, or does the counter appear only with its first event?"
		}
		return out
	}
	for _, p := range s.arms[exposed] {
		r := s.shownOf(e, exposed, p.id, w)
		if r.empty && known { // it can be read, and has counted nothing
			r = reading{}
		}
		if r.verdict == "" {
			r = s.grown(p.id, i, w)
		}
		out.of[p.id] = r.counted()
	}
	return out
}

// grown adds up a target's growth in the window.
func (s *scrape) grown(id string, i int, w window) reading {
	r := reading{verdict: Unexercised, why: "its page was read only once since the stage was applied"}
	for _, p := range s.kept.Each {
		if counts, ok := p.Counts[id]; ok && p.At.After(w.from) {
			r = reading{value: r.value + counts[i]}
		}
	}
	return r
}

// gauges is what every target of an arm shows.
func (s *scrape) gauges(_ context.Context, expr string, a arm, w window) spread {
	out, e := s.spread(expr, a, s.seen[a].gauges)
	if out.verdict != "" {
		return out
	}
	for _, p := range s.arms[a] {
		out.of[p.id] = s.shownOf(e, a, p.id, w).usable()
	}
	return out
}

// spread readies the readings of each target, or says that there are none.
func (s *scrape) spread(expr string, a arm, in map[string]*shown) (spread, *shown) {
	out := spread{reading: reading{query: expr}, of: map[string]reading{}, asked: s.sizes[a]}
	e, pages, all := in[expr], s.seen[a].pages, len(s.arms[a])
	switch {
	case all == 0:
		out.reading = noData(expr, "no target to read")
	case 2*pages < all:
		out.reading = noData(expr, "%d of %d metrics pages could not be read (%s)", all-pages, all, s.seen[a].why)
	case e == nil:
		out.reading = noData(expr, "no page has the series")
		out.empty = true
	}
	return out, e
}

// shownOf is what one target's page shows now.
func (s *scrape) shownOf(e *shown, a arm, id string, w window) reading {
	if why, broken := s.seen[a].broken[id]; broken {
		return reading{verdict: NoData, why: "its page could not be read: " + why}
	}
	if e == nil {
		return reading{verdict: NoData, why: "its page does not have the series", empty: true}
	}
	r, ok := e.of[id]
	switch {
	case !ok:
		return reading{verdict: NoData, why: "its page does not have the series", empty: true}
	case r.verdict != "":
		return r
	}
	if old := s.times(w).aged(e.stamps[id]); old.verdict != "" {
		return old
	}
	return r
}
