package scrape

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
)

// usual is how many events must have been expected for none at all to be no chance.
const usual = 10

// mostShown is how many numbers of single targets a baseline hands on, at most: they go into the
// rollout's history.
const mostShown = 2000

// Shown is by the newest read of a baseline, and what was counted meanwhile.
func (s *pages) Shown() source.Shown {
	out, all := source.Shown{}, 0
	seconds := 0.0
	for _, p := range s.baselooks {
		seconds += p.length().Seconds()
	}
	in := s.seen[source.Exposed]
	add := func(expr string, ids []string, rate func(id string) float64) {
		if all += len(ids); len(ids) == 0 || all > mostShown {
			return
		}
		out[expr] = map[string]float64{}
		for _, id := range ids {
			out[expr][id] = rate(id)
		}
	}
	for i, expr := range s.exprs {
		add(expr, slices.Collect(maps.Keys(in.known[expr])), func(id string) float64 {
			if grew := s.sums[id]; grew != nil && seconds > 0 {
				return grew[i] / seconds
			}
			return 0
		})
	}
	for _, expr := range s.plain {
		if e := in.gauges[expr]; e != nil {
			add(expr, slices.Collect(maps.Keys(e.of)), func(string) float64 { return 0 })
		}
	}
	return out
}

// lacksCounter says that a target's page could be read, and no longer shows a counter that it
// showed. A counter with labels may appear only with its first event: what has no series of that
// name at all lacks it once many events were to be expected.
func (s *pages) lacksCounter(expr, id string) bool {
	in := s.seen[source.Exposed]
	rate, had := s.shown[expr][id]
	if !had || in.known[expr][id] {
		return false
	}
	return in.named[expr][id] || rate*s.kept.At.Sub(s.begin).Seconds() >= usual
}

// lacksGauge is the same of a number.
func (s *pages) lacksGauge(expr, id string) bool {
	if _, had := s.shown[expr][id]; !had {
		return false
	}
	e := s.seen[source.Exposed].gauges[expr]
	if e == nil {
		return true
	}
	_, there := e.of[id]
	return !there
}

// losing are the exposed targets that lack something now, and since when.
func (s *pages) losing(at time.Time) map[string]time.Time {
	var out map[string]time.Time
	for _, p := range s.arms[source.Exposed] {
		_, lost := s.seen[source.Exposed].broken[p.id]
		for _, expr := range s.exprs {
			lost = lost || s.lacksCounter(expr, p.id)
		}
		for _, expr := range s.plain {
			lost = lost || s.lacksGauge(expr, p.id)
		}
		if !lost {
			continue
		}
		if out == nil {
			out = map[string]time.Time{}
		}
		out[p.id] = at
		if since, already := s.kept.Lost[p.id]; already {
			out[p.id] = since
		}
	}
	return out
}

// lost refuses what the exposed targets show of an expression while some of them, in three looks in
// a row, lack what they showed before the stage: the answer is then of the others.
func (s *pages) lost(expr string, a source.Arm, lacks func(expr, id string) bool) source.Reading {
	if a == source.Control {
		return source.Reading{}
	}
	var gone, mute []string
	why := ""
	for _, p := range s.arms[a] {
		since, losing := s.kept.Lost[p.id]
		if !losing || s.kept.At.Sub(since) < s.spec.Every.Std()*9/5 { // looks may come a little early
			continue
		}
		_, had := s.shown[expr][p.id]
		switch broken, is := s.seen[source.Exposed].broken[p.id]; {
		case is && had:
			mute = append(mute, p.id)
			why = " (its page could not be read: " + broken + ")"
		case !is && lacks(expr, p.id):
			gone = append(gone, p.id)
		}
	}
	if len(mute) > s.silent {
		gone = append(gone, mute...)
	} else {
		why = ""
	}
	if len(gone) == 0 {
		return source.Reading{}
	}
	if len(gone) > 1 {
		why = ""
	}
	slices.Sort(gone)
	return source.NoData(expr, "%d of the exposed targets show no %s any more, as they did before the stage: %s%s",
		len(gone), source.Cut(expr, 80), strings.Join(gone[:min(len(gone), 3)], ", "), why)
}

// silenced refuses none at all where many were usual, by the time before and by the control: in all
// the time in which targets run the release, those of earlier stages longer than the stage.
func (s *pages) silenced(expr string, a source.Arm, i int, w source.Window) source.Reading {
	own := s.arms[ownArm]
	if a == source.Control || len(s.shown[expr]) == 0 {
		return source.Reading{}
	}
	if len(own) == 0 {
		own = s.arms[a]
	}
	rate, others, span := 0.0, 0.0, time.Duration(0)
	for _, p := range own {
		rate += s.shown[expr][p.id]
	}
	for _, p := range s.kept.Parts {
		if p.At.After(w.From) {
			span += p.length()
			others += p.Counts[i][source.Control]
		}
	}
	if span == 0 {
		return source.Reading{}
	}
	silent := time.Duration(len(s.arms[a])) * max(span, s.kept.At.Sub(s.begin))
	if a == source.Exposed {
		silent += s.ran * time.Duration(len(s.arms[a])) / time.Duration(max(1, s.sizes[a]))
	}
	known := []source.Usual{{Events: rate * s.measured.Seconds(), In: time.Duration(len(own)) * s.measured}}
	if n := len(s.arms[source.Control]); n > 0 {
		known = append(known, source.Usual{Events: others, In: time.Duration(n) * span})
	}
	return source.Silenced(expr, silent, known)
}

// added adds numbers of the same expressions.
func added(some, others []float64) []float64 {
	out := slices.Clone(others)
	for i, v := range some {
		out[i] += v
	}
	return out
}
