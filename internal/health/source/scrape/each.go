package scrape

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
)

// EachPart is what the counters of single targets grew by in a span of time. Only exposed targets
// whose growth is known are in it.
type EachPart struct {
	From time.Time `json:"from"`
	At   time.Time `json:"at"`
	// Counts are by target id, in the order of the spec's expressions that checks ask of each
	// target.
	Counts map[string][]float64 `json:"counts"`
}

// join is a part that covers both.
func (p EachPart) join(next EachPart) EachPart {
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
func (k *State) addEach(part EachPart, span time.Duration, from time.Time) {
	if len(part.Counts) == 0 {
		return
	}
	parts := slices.Clone(k.Each)
	if n := len(parts); n > 0 && part.At.Sub(parts[n-1].From) <= span {
		parts[n-1] = parts[n-1].join(part)
	} else {
		parts = append(parts, part)
	}
	k.Each = slices.DeleteFunc(parts, func(p EachPart) bool { return !p.At.After(from) })
}

// keepEach readies counters of which single targets' growth is kept.
func (s *pages) keepEach(exprs ...string) {
	for _, expr := range exprs {
		if expr != "" && !slices.Contains(s.single, expr) {
			s.single = append(s.single, expr)
		}
	}
}

// Counts is what every exposed target that can be read counted in the window.
func (s *pages) Counts(_ context.Context, expr string, w source.Window, l source.OnEmpty) source.Readings {
	i := slices.Index(s.single, expr)
	if i < 0 {
		return source.Readings{Reading: source.NoData(expr, "the expression is not one that the spec asks of each target")}
	}
	out, e := s.spread(expr, source.Exposed, s.seen[source.Exposed].counts)
	known := s.seen[source.Exposed].known[expr]
	if out.Empty && len(known) > 0 {
		out.Verdict, out.Why, out.Empty = "", "", false
	}
	if out.Verdict != "" {
		if out.Empty && l == source.EmptyIsZero {
			out.Why = unseen(expr)
		}
		return out
	}
	for _, p := range s.arms[source.Exposed] {
		r := s.shownOf(e, source.Exposed, p.id, w)
		if r.Empty && known[p.id] { // it can be read, and has counted nothing
			r = source.Reading{}
		}
		if r.Verdict == "" {
			r = s.grown(p.id, i, w)
		}
		out.Of[p.id] = r.Counted()
	}
	return out
}

// grown adds up a target's growth in the window.
func (s *pages) grown(id string, i int, w source.Window) source.Reading {
	r := source.Reading{Verdict: judge.Unexercised, Why: "its page was read only once since the stage was applied"}
	for _, p := range s.kept.Each {
		if counts, ok := p.Counts[id]; ok && i < len(counts) && p.At.After(w.From) {
			r = source.Reading{Value: r.Value + counts[i]}
		}
	}
	return r
}

// Gauges is what every target of an arm shows.
func (s *pages) Gauges(_ context.Context, expr string, a source.Arm, w source.Window) source.Readings {
	out, e := s.spread(expr, a, s.seen[a].gauges)
	if out.Verdict != "" {
		return out
	}
	for _, p := range s.arms[a] {
		out.Of[p.id] = s.shownOf(e, a, p.id, w).Usable()
	}
	return out
}

// spread readies the readings of each target, or says that there are none.
func (s *pages) spread(expr string, a source.Arm, in map[string]*shown) (source.Readings, *shown) {
	e, r := s.readable(expr, a, in)
	return source.Readings{Reading: r, Of: map[string]source.Reading{}, Asked: s.sizes[a]}, e
}

// shownOf is what one target's page shows now.
func (s *pages) shownOf(e *shown, a source.Arm, id string, w source.Window) source.Reading {
	if why, broken := s.seen[a].broken[id]; broken {
		return source.Reading{Verdict: judge.NoData, Why: "its page could not be read: " + why}
	}
	if e == nil {
		return source.Reading{Verdict: judge.NoData, Why: "its page does not have the series", Empty: true}
	}
	r, ok := e.of[id]
	switch {
	case !ok:
		return source.Reading{Verdict: judge.NoData, Why: "its page does not have the series", Empty: true}
	case r.Verdict != "":
		return r
	}
	if old := s.times(w).Aged(e.stamps[id]); old.Verdict != "" {
		return old
	}
	return r
}
