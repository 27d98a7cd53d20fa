// Package backtest asks how often a rollout's checks would have taken back a healthy release: they
// are judged over a span of the past in which nothing was changed, as if something had been at many
// moments. It is pure.
package backtest

import (
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// Bake is how one check of one stage would have judged a change at a moment.
type Bake struct {
	// At is when the change would have been, since the beginning of the span; Outcome.At is since
	// then.
	At time.Duration
	judge.Outcome
}

// VerdictCount counts the verdicts of a check over all moments.
type VerdictCount struct {
	Stage string `json:"stage"`
	Check string `json:"check"`
	Group string `json:"group,omitempty"`
	// Rate is how often it may fail at most, of its part of falseRollbackRate.
	Rate float64 `json:"rate"`
	// Bakes is how many there were; Failed, Passed and Unknown add up to it.
	Bakes   int `json:"moments"`
	Failed  int `json:"failed"`
	Passed  int `json:"passed"`
	Unknown int `json:"unknown"`
	// Unexercised is how many of Unknown had too little traffic; the others had no usable data.
	Unexercised int `json:"unexercised"`
	// Apart is how many bakes with a verdict fit beside each other into the time that the moments
	// cover: fewer than there are where those overlap.
	Apart float64 `json:"apart"`
	// Low and High are a 95% interval of how often it fails where it has a verdict, as wide as so
	// many bakes Apart leave it.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Worst are the moments at which it failed, at most five, and else the one with the most
	// evidence.
	Worst []Bake `json:"-"`
	// Why says of what nothing is known why: of the check, or of one moment.
	Why string `json:"why,omitempty"`
}

// maxWorst is how many failures are shown of a check.
const maxWorst = 5

// Check judges one check at moments every so often, as long as a whole bake follows and as long a
// time before lies in the span as a rollout looks at.
func Check(stage string, r health.Replay, every time.Duration) VerdictCount {
	t := VerdictCount{Stage: stage, Check: r.Check, Group: r.Group, Rate: r.Criteria.Alpha, High: 1, Why: r.Missing}
	run, end := r.Judge, r.Span
	if run == nil {
		if len(r.Looks) == 0 {
			return t
		}
		end = r.Looks[len(r.Looks)-1].At
		run = func(at time.Duration) judge.Outcome { return judge.Run(r.Criteria, around(r, at)) }
	}
	return t.count(r.Criteria, end, every, run)
}

// count adds what would have been said at all moments of a span.
func (t VerdictCount) count(c judge.Criteria, end, every time.Duration, run func(at time.Duration) judge.Outcome) VerdictCount {
	bake := c.Bake
	long, _ := health.PastSpan(bake, c.Every)
	var worst *Bake
	for at := long; at+bake <= end; at += every {
		m := Bake{At: at, Outcome: run(at)}
		t.Bakes++
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
			if m.Verdict == judge.Unexercised {
				t.Unexercised++
			}
			t.Why = string(m.Verdict) + ": " + m.Evidence
		}
		if m.Verdict == judge.Pass && (worst == nil || m.P < worst.P) {
			worst = &m
		}
	}
	if len(t.Worst) == 0 && worst != nil {
		t.Worst = []Bake{*worst}
	}
	judged := t.Bakes - t.Unknown
	if judged > 0 {
		t.Apart = apart(t.Bakes, every, bake) * float64(judged) / float64(t.Bakes)
	}
	t.Low, t.High = sequential.Wilson(t.Apart*float64(t.Failed)/float64(max(1, judged)), t.Apart)
	return t
}

// apart is how many bakes fit beside each other into what so many moments cover.
func apart(moments int, every, bake time.Duration) float64 {
	if every >= bake || moments == 0 {
		return float64(moments)
	}
	return 1 + float64(moments-1)*every.Seconds()/bake.Seconds()
}

// Needed is how many moments without any failure are needed to say with 95% confidence that a check
// fails at no more than a rate: ln 0.05 / ln (1 - rate), the rule of three. It is 0 for what is no
// rate.
func Needed(rate float64) float64 {
	if !(rate > 0 && rate < 1) {
		return 0
	}
	return math.Ceil(math.Log(0.05) / math.Log1p(-rate))
}
