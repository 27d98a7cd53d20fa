package main

import (
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/lab/rank"
	"github.com/sluicehq/sluice/internal/sequential"
)

// minute is how many looks are in the window of a rate[1m].
const minute = int(time.Minute / every)

// overMinute is the share of bad events over the minute up to look i. It is no number where nothing
// was read; where there was no traffic, read is true all the same.
func overMinute(since []judge.ArmCounts, i int, arm func(judge.ArmCounts) *sequential.Counts) (share float64, read bool) {
	var sum sequential.Counts
	for _, l := range since[max(0, i+1-minute) : i+1] {
		if c := arm(l); c != nil {
			read = true
			sum.Bad, sum.Total = sum.Bad+c.Bad, sum.Total+c.Total
		}
	}
	return sum.Bad / sum.Total, read
}

func exposed(l judge.ArmCounts) *sequential.Counts { return l.Exposed }
func control(l judge.ArmCounts) *sequential.Counts { return l.Control }

// argo is a metric of Argo Rollouts: the exposed arm's share of bad events over a minute, measured
// at every look, is above a limit once (failureLimit 0), or cannot be measured five times in a row.
func argo(name string) rule {
	return rule{name, func(s series) score {
		errors := 0
		return func(i int, _ judge.ArmCounts) float64 {
			share, read := overMinute(s.since, i, exposed)
			if errors++; read {
				errors = 0
			}
			if errors >= 5 {
				return math.Inf(1)
			}
			return share
		}
	}}
}

// flagger counts the looks at which the same share is above a limit, or is not known. Good ones do
// not reset the count. At the fifth it rolls back at the next look.
func flagger(name string) rule {
	const most = 5
	return rule{name, func(s series) score {
		var worst []float64 // ascending
		return func(i int, _ judge.ArmCounts) float64 {
			before := math.NaN()
			if len(worst) >= most {
				before = worst[len(worst)-most]
			}
			share, _ := overMinute(s.since, i, exposed)
			if math.IsNaN(share) {
				share = math.Inf(1)
			}
			at, _ := slices.BinarySearch(worst, share)
			worst = slices.Insert(worst, at, share)
			return before
		}
	}}
}

// rates is a limit on how many times the control's share of bad events over a minute the exposed
// arm's is.
func rates(name string) rule {
	return rule{name, func(s series) score {
		return func(i int, _ judge.ArmCounts) float64 {
			a, _ := overMinute(s.since, i, exposed)
			b, _ := overMinute(s.since, i, control)
			return a / b
		}
	}}
}

// alarm is what AWS AppConfig watches: an alarm on the exposed arm's share of bad events, in three
// of the last five minutes, each of which is read once. A minute without data leaves it in
// INSUFFICIENT_DATA, which rolls back too.
func alarm(name string) rule {
	return rule{name, func(s series) score {
		var minutes []float64
		return func(i int, _ judge.ArmCounts) float64 {
			if (i+1)%minute != 0 {
				return math.NaN()
			}
			share, read := overMinute(s.since, i, exposed)
			if !read || math.IsNaN(share) {
				return math.Inf(1)
			}
			minutes = append(minutes, share)
			last := slices.Sorted(slices.Values(minutes[max(0, len(minutes)-5):]))
			if len(last) < 3 {
				return math.NaN()
			}
			return last[len(last)-3]
		}
	}}
}

// kayenta compares each look's share of bad events in both arms by Mann and Whitney's test, over
// all looks so far, every so often.
func kayenta(name string, pause time.Duration) rule {
	n := int(pause / every)
	return rule{name, func(series) score {
		var a, b []float64
		return func(i int, l judge.ArmCounts) float64 {
			if c := l.Exposed; c != nil && c.Total > 0 {
				a = append(a, c.Bad/c.Total)
			}
			if c := l.Control; c != nil && c.Total > 0 {
				b = append(b, c.Bad/c.Total)
			}
			if (i+1)%n != 0 {
				return math.NaN()
			}
			return rank.MannWhitney(a, b)
		}
	}}
}
