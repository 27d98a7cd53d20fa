// Package backtest asks how often a rollout's checks would have taken back a healthy
// release: they are judged over a span of the past in which nothing was changed, as if
// something had been at many moments. It is pure.
package backtest

import (
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
)

// Moment is how one check of one stage would have judged a change at a moment.
type Moment struct {
	// At is when the change would have been, since the beginning of the span; Outcome.At
	// is since then.
	At time.Duration
	judge.Outcome
}

// Tally counts the verdicts of a check over all moments.
type Tally struct {
	Stage, Check, Group string
	// Rate is how often it may fail at most, of its part of falseRollbackRate.
	Rate float64
	// Moments is how many there were; Failed, Passed and Unknown add up to it.
	Moments, Failed, Passed, Unknown int
	// Low and High are a 95% interval of how often it fails.
	Low, High float64
	// Worst are the moments at which it failed, at most five, and else the one with the
	// most evidence.
	Worst []Moment
	// Why says of what nothing is known why: of the check, or of one moment.
	Why string
}

// maxWorst is how many failures are shown of a check.
const maxWorst = 5

// Check judges one check at moments every so often, as long as a whole bake follows
// and as long a time before (at least ten minutes) lies in the span.
func Check(stage string, r health.Replay, every time.Duration) Tally {
	t := Tally{Stage: stage, Check: r.Check, Group: r.Group, Rate: r.Criteria.Alpha, Why: r.Missing}
	if len(r.Looks) == 0 {
		return t
	}
	long := max(leastBefore, r.Criteria.Bake)
	end := r.Looks[len(r.Looks)-1].At
	var worst *Moment
	for at := long; at+r.Criteria.Bake <= end; at += every {
		m := Moment{At: at, Outcome: judge.Run(r.Criteria, around(r.Looks, at, long, r.Criteria.Bake))}
		t.Moments++
		switch m.Verdict {
		case judge.Fail:
			t.Failed++
			if len(t.Worst) < maxWorst {
				t.Worst = append(t.Worst, m)
			}
		case judge.Pass:
			t.Passed++
		default:
			t.Unknown++
			t.Why = string(m.Verdict) + ": " + m.Evidence
		}
		if m.Verdict == judge.Pass && (worst == nil || m.P < worst.P) {
			worst = &m
		}
	}
	if len(t.Worst) == 0 && worst != nil {
		t.Worst = []Moment{*worst}
	}
	t.Low, t.High = Interval(t.Failed, t.Moments)
	return t
}

// leastBefore is how long before a change is looked at, at least, as a rollout does.
const leastBefore = 10 * time.Minute

// around are the looks around a moment, At since then.
func around(looks []judge.Look, at, before, after time.Duration) []judge.Look {
	var out []judge.Look
	for _, l := range looks {
		if l.At -= at; l.At > -before && l.At <= after {
			out = append(out, l)
		}
	}
	return out
}

// Interval is Wilson's 95% interval of a share (Wilson 1927); all of it where nothing
// was tried.
func Interval(hits, tries int) (low, high float64) {
	if tries <= 0 {
		return 0, 1
	}
	const z = 1.959964
	n, p := float64(tries), float64(hits)/float64(tries)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}
