package simulate

import (
	"math"

	"github.com/sluicehq/sluice/internal/spec"
)

// asks is what the checks of a spec ask for, by the text of their queries.
type asks struct {
	streams []stream
	// counts are queries of events: which stream answers each. numbers are those of a value.
	counts  map[string]int
	numbers map[string]number
	slow    map[string]bool // histograms
}

// stream is a kind of events that targets count.
type stream struct {
	key   uint64
	check string // whose bad events it has; empty of requests
	// most is the most that the usual share of bad events is: a check that would fail on a healthy
	// fleet is not what is rehearsed. 0 is no bound.
	most float64
	// bound says that its events are requests slower than that, as a multiple of the usual median;
	// 0 of others.
	bound float64
	fast  bool // counts those that are not slower
}

// number is a value that every target shows.
type number struct {
	key   uint64
	check string
	usual float64
}

// Latencies are log-normal with this spread; the first bound of a spec is where one request in a
// hundred is slower.
const (
	sigma     = 0.5
	slowUsual = 2.326 // standard deviations: 1 %
)

// asksOf finds out what a spec's checks ask.
func asksOf(h spec.Health, k spec.Kinds) asks {
	a := asks{counts: map[string]int{}, numbers: map[string]number{}, slow: map[string]bool{}}
	language := spec.Language(spec.Selectors{})
	if s := k.Source(h); s != nil {
		language = s.Traits().Language
	}
	count := func(query string, s stream) {
		if query == "" {
			return
		}
		if _, known := a.counts[query]; known {
			return
		}
		s.key = hash(query)
		a.streams = append(a.streams, s)
		for _, text := range []string{query, language.Whole(query)} {
			a.counts[text] = len(a.streams) - 1
		}
	}
	median := 0.0
	count(h.Traffic, stream{})
	for _, c := range h.Checks {
		switch {
		case c.Slow != nil:
			if median == 0 {
				median = float64(c.Slow.Over) / math.Exp(slowUsual*sigma)
			}
			a.slow[c.Slow.Histogram] = true
			bound := float64(c.Slow.Over) / median
			count(totalOf(*c.Slow), stream{})
			count(withinOf(*c.Slow), stream{check: c.Name, bound: bound, fast: true})
		case c.Total != "":
			count(c.Total, stream{})
			count(c.Bad, stream{check: c.Name, most: mostBad(c)})
		case c.Value != "":
			n := number{key: hash(c.Value), check: c.Name, usual: usualOf(c)}
			a.numbers[c.Value], a.numbers[language.Whole(c.Value)] = n, n
		}
		if c.Exercise != nil {
			count(c.Exercise.Count, stream{})
		}
	}
	return a
}

// totalOf and withinOf are the model's own queries of a histogram.
func totalOf(s spec.Slow) string  { return "total of " + s.Histogram }
func withinOf(s spec.Slow) string { return "within the bound of " + s.Histogram }

// mostBad is a quarter of what a check allows.
func mostBad(c spec.Check) float64 {
	switch {
	case c.Max != nil && *c.Max > 0:
		return float64(*c.Max) / 4
	case c.Objective != nil:
		return (1 - float64(*c.Objective)) * float64(c.Burn) / 4
	}
	return 0
}

// usualOf is a number well inside its limits.
func usualOf(c spec.Check) float64 {
	const plain = 100
	switch {
	case c.Max != nil && c.Min != nil:
		return (float64(*c.Max) + float64(*c.Min)) / 2
	case c.Max != nil:
		return float64(*c.Max) / 2
	case c.Min != nil && *c.Min != 0:
		return float64(*c.Min) * 2
	}
	return plain
}

// draw is how many events of the stream a target counts that has served so many requests, of which
// usually this share is bad.
func (s stream) draw(r *random, c condition, requests, usual, burst float64) float64 {
	switch {
	case requests == 0:
		return 0
	case s.bound > 0:
		slow := min(requests, r.poisson(requests*slower(s.bound/c.latency)))
		if s.fast {
			return requests - slow
		}
		return slow
	case s.check != "":
		return min(requests, r.clumped(requests*s.bad(c, usual), burst))
	}
	return requests
}

// bad is the share of requests that are bad.
func (s stream) bad(c condition, usual float64) float64 {
	if s.most > 0 {
		usual = min(usual, s.most)
	}
	share := min(1, max(usual*c.errors, c.failing))
	if f, moves := c.checks[s.check]; moves {
		if f.Factor > 0 {
			share = min(1, share*(1+(f.Factor-1)*c.strength[s.check]))
		}
		share = max(share, f.Share*c.strength[s.check])
	}
	return share
}

// slower is the share of requests that take longer than so many usual medians.
func slower(bound float64) float64 { return 0.5 * math.Erfc(math.Log(bound)/(sigma*math.Sqrt2)) }

// at is the number that a target shows in a slot.
func (n number) at(h *host, c condition, seed, slot uint64) float64 {
	own := 1 + 0.1*normal(seed, h.key, n.key)
	noise := 1 + 0.05*normal(seed, h.key, n.key, slot)
	v := n.usual * own * noise
	if f, moves := c.checks[n.check]; moves && f.Factor > 0 {
		v *= 1 + (f.Factor-1)*c.strength[n.check]
	}
	return v
}
