package main

import (
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/lab/rank"
)

// signal is what others watch of a change: a metric, and which way is harm. With of it is a share
// of that.
type signal struct {
	metric, of string
	drop, both bool
}

// rival is how another tool makes a score of what it sees: the larger, the worse, so far at each
// minute of the bake.
type rival struct {
	name  string
	score func(watched) []float64
}

// watched is one signal: how bad it is in each minute, NaN where there is nothing, and the numbers
// of both arms that ranks compare, with a sign so that harm is above.
type watched struct {
	bad        []float64
	now, usual []float64
	both       bool
}

// missingErrors is how many measurements in a row fail a metric of Argo Rollouts when they find
// nothing.
const missingErrors = 5

// flaggerThreshold is how many bad ticks Flagger counts.
const flaggerThreshold = 5

// rivals decide by their documentation: Argo Rollouts at the first measurement beyond a limit, or
// at five in a row without a value; Flagger at the fifth beyond it or without a value, one tick
// later; Kayenta by Mann and Whitney's test at the end.
func rivals() []rival {
	return []rival{
		{"Argo Rollouts", func(w watched) []float64 {
			worst, missing := math.Inf(-1), 0
			return w.each(func(bad float64) float64 {
				if missing++; !math.IsNaN(bad) {
					worst, missing = max(worst, bad), 0
				}
				if missing >= missingErrors {
					worst = math.Inf(1)
				}
				return worst
			})
		}},
		{"Flagger", func(w watched) []float64 {
			var all []float64
			return w.each(func(bad float64) float64 {
				last := math.Inf(-1)
				if len(all) >= flaggerThreshold {
					last = all[len(all)-flaggerThreshold]
				}
				if math.IsNaN(bad) {
					bad = math.Inf(1)
				}
				at, _ := slices.BinarySearch(all, bad)
				all = slices.Insert(all, at, bad)
				return last
			})
		}},
		{"Mann-Whitney", func(w watched) []float64 {
			out := slices.Repeat([]float64{math.Inf(-1)}, len(w.bad))
			if z := rank.MannWhitney(w.now, w.usual); len(out) > 0 && !math.IsNaN(z) {
				if w.both {
					z = math.Abs(z)
				}
				out[len(out)-1] = z
			}
			return out
		}},
	}
}

func (w watched) each(f func(bad float64) float64) (out []float64) {
	for _, bad := range w.bad {
		out = append(out, f(bad))
	}
	return out
}

// watch is a signal of a change over its bake, beside the control or, without one, as long a time
// before.
func (c change) watch(s signal, bake time.Duration) watched {
	w := watched{both: s.both}
	minutes := int(bake / time.Minute)
	for i := range minutes {
		at := c.before.Add(-time.Duration(i) * time.Minute)
		if v := c.shown(s, c.exposed, at); len(c.control) == 0 && !math.IsNaN(v) {
			w.usual = append(w.usual, v)
		}
	}
	mean, spread := moments(w.usual)
	for i := range minutes {
		at := c.at.Add(time.Duration(i+1) * time.Minute)
		now, usual := c.shown(s, c.exposed, at), mean
		if len(c.control) > 0 {
			if usual = c.shown(s, c.control, at); !math.IsNaN(usual) {
				w.usual = append(w.usual, usual)
			}
		}
		if !math.IsNaN(now) {
			w.now = append(w.now, now)
		}
		w.bad = append(w.bad, s.badness(now, usual, spread))
	}
	if s.drop {
		w.now, w.usual = negated(w.now), negated(w.usual)
	}
	return w
}

// badness is how bad a number is: a share as it is, another as a multiple of what is usual or,
// where nobody knows which way is harm, in standard deviations from it.
func (s signal) badness(now, usual, spread float64) float64 {
	const least = 1e-9
	switch {
	case s.of != "":
		return now
	case s.both:
		return math.Abs(now-usual) / max(spread, least)
	case s.drop:
		return usual / max(now, least)
	}
	return now / max(usual, least)
}

// shown is the mean of what targets showed in a minute; NaN of none.
func (c change) shown(s signal, ids []string, at time.Time) float64 {
	var all, whole series
	for _, id := range ids {
		all = append(all, c.numbers[s.metric][id].within(at.Add(-time.Minute), at)...)
		whole = append(whole, c.numbers[s.of][id].within(at.Add(-time.Minute), at)...)
	}
	if s.of != "" {
		return all.sum() / whole.sum()
	}
	return all.mean()
}

func moments(values []float64) (mean, spread float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		spread += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(spread)
}

func negated(values []float64) (out []float64) {
	for _, v := range values {
		out = append(out, -v)
	}
	return out
}
