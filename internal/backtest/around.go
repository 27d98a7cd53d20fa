package backtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// around are the looks around a moment, At since then, as a rollout has them: those before it as
// long ago and as far apart as a stage's past is read, without the time in which an arm was not
// there yet.
func around(r health.Replay, at time.Duration) []judge.ArmCounts {
	long, step := health.LongPast(r.Criteria.Bake, r.Criteria.Every)
	if r.Criteria.Before {
		long, step = health.SelfPast(r.Criteria.Bake, r.Criteria.Every)
	}
	first, _ := slices.BinarySearchFunc(r.Looks, at-long+1, func(l judge.ArmCounts, t time.Duration) int { return cmp.Compare(l.At, t) })
	var before, since []judge.ArmCounts
	for _, l := range r.Looks[first:] {
		if l.At -= at; l.At > r.Criteria.Bake {
			break
		}
		if l.At > 0 {
			since = append(since, l)
		} else {
			before = append(before, l)
		}
	}
	return append(slices.Concat(trimmed(joined(before, step))...), since...)
}

// joined adds up looks before a change to such of a step, which end where the change is. Those at
// the same moment are strata, in the same order at every moment, and stay apart. An arm that was
// not seen adds nothing.
func joined(looks []judge.ArmCounts, step time.Duration) []judge.ArmCounts {
	var out []judge.ArmCounts
	begin, stratum := 0, 0 // of the step in out, of the look at its moment
	for i, l := range looks {
		end := l.At.Truncate(step) // towards zero
		if stratum++; i == 0 || looks[i-1].At != l.At {
			stratum = 0
		}
		if len(out) == 0 || out[len(out)-1].At != end {
			begin = len(out)
		}
		if n := begin + stratum; n < len(out) {
			out[n].Exposed, out[n].Control = plus(out[n].Exposed, l.Exposed), plus(out[n].Control, l.Control)
			continue
		}
		out = append(out, judge.ArmCounts{At: end, Exposed: plus(nil, l.Exposed), Control: plus(nil, l.Control)})
	}
	return out
}

// plus adds up what was seen, in memory of its own.
func plus(a, b *sequential.Counts) *sequential.Counts {
	switch {
	case b == nil:
		return a
	case a == nil:
		return new(*b)
	}
	return &sequential.Counts{Bad: a.Bad + b.Bad, Total: a.Total + b.Total}
}

// trimmed are the looks by their moment, the strata of each together, without the time at the
// beginning in which a stratum lacks an arm.
func trimmed(looks []judge.ArmCounts) [][]judge.ArmCounts {
	var out [][]judge.ArmCounts
	for begin, end := 0, 0; begin < len(looks); begin = end {
		whole := true
		for ; end < len(looks) && looks[end].At == looks[begin].At; end++ {
			l := looks[end]
			whole = whole && l.Exposed != nil && l.Exposed.Total > 0 && (l.Control == nil || l.Control.Total > 0)
		}
		if whole || len(out) > 0 {
			out = append(out, looks[begin:end])
		}
	}
	return out
}
