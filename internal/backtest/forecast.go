package backtest

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// Forecast is what a check of a stage can be expected to see, if traffic stays as it was.
type Forecast struct {
	Stage string `json:"stage"`
	Check string `json:"check"`
	Group string `json:"group,omitempty"`
	// Exposed and Control are events per second of the stage's exposed targets and of those that
	// they are compared with, and Base the share of the latter that is bad.
	Exposed float64 `json:"exposedPerSecond"`
	Control float64 `json:"controlPerSecond"`
	Base    float64 `json:"base"`
	// Smallest is the smallest ratio of bad events to what is usual that shows within the bake, in
	// half of the cases; 0 where none does.
	Smallest float64 `json:"smallestRatio,omitempty"`
	// Twice and Five are how many seconds it takes in half of the cases until twice and five times
	// as many bad events show; 0 where they do not within the bake.
	Twice float64 `json:"twiceSeconds,omitempty"`
	Five  float64 `json:"fiveTimesSeconds,omitempty"`
	// Enough is how many seconds of bake would see what this one cannot; 0 where it sees it, and
	// where no bake of up to a day does.
	Enough float64 `json:"enoughBakeSeconds,omitempty"`
	// AtRisk is how many requests the exposed targets serve until five times as many bad events
	// show, or in the whole bake.
	AtRisk float64 `json:"requestsAtRisk"`
	// Known is how many seconds of the past were seen.
	Known float64 `json:"secondsKnown"`
	// Warnings say what the bake cannot do.
	Warnings []string `json:"warnings,omitempty"`
}

// Expect forecasts from a check's past: faults are put into it at several moments, and the judge of
// a rollout is asked when it finds them.
func Expect(stage string, r health.Replay) Forecast {
	f := Forecast{Stage: stage, Check: r.Check, Group: r.Group}
	warn := func(format string, args ...any) { f.Warnings = append(f.Warnings, fmt.Sprintf(format, args...)) }
	whole, pairs, long := sum(r)
	if long <= 0 {
		warn("nothing is known of its past: %s", r.Missing)
		return f
	}
	f.Known = long
	c, bake := r.Criteria, r.Criteria.Bake.Seconds()
	f.Exposed, f.Control = whole.Exposed.Total/long, whole.Control.Total/long
	if f.Base = (whole.Control.Bad + 0.5) / (whole.Control.Total + 1); c.Before || c.Objective > 0 {
		f.Base = (whole.Exposed.Bad + 0.5) / (whole.Exposed.Total + 1)
	}
	rhythm, _ := sequential.BurstSpan(pairs)
	in := newInjection(r, f.Base, rhythm.Factor)
	f.Smallest, f.Twice, f.Five = in.smallest(), in.seconds(2), in.seconds(5)
	f.AtRisk = f.Exposed * bake
	if f.Five > 0 {
		f.AtRisk = f.Exposed * min(bake, f.Five)
	}
	f.weigh(r, rhythm.Factor, warn)
	if rhythm.Excess() {
		warn("bad events came in bursts, %s times chance: that makes harm slower to find", humanize.PlainTo(rhythm.Factor, 2))
	}
	return f
}

// weigh says what the bake cannot do, and which could.
func (f *Forecast) weigh(r health.Replay, burst float64, warn func(format string, args ...any)) {
	c, bake := r.Criteria, r.Criteria.Bake.Seconds()
	asks := max(2*(1+c.Worse), c.Enough)
	if f.Exposed == 0 {
		warn("its exposed targets have no traffic: it will be UNEXERCISED")
		return
	}
	if f.Exposed*bake >= c.MinSamples && f.Smallest > 0 && f.Smallest <= asks {
		return
	}
	instead := "no bake of up to a day does: expose more"
	if longer := f.enough(r, burst, asks); longer > 0 {
		f.Enough = longer.Seconds()
		instead = fmt.Sprintf("bake %s, or expose more", spec.Duration(longer))
	}
	switch within := spec.Duration(c.Bake); {
	case f.Exposed*bake < c.MinSamples:
		warn(
			"its exposed targets get %s events in a bake of %s, and minSamples asks for %s: it will be UNEXERCISED; %s",
			humanize.Integer(f.Exposed*bake), within, humanize.Integer(c.MinSamples), instead,
		)
	case f.Smallest == 0:
		warn("no fault shows within a bake of %s: %s", within, instead)
	default:
		warn(
			"only %s times as many bad events show within a bake of %s, not %s times: %s",
			humanize.PlainTo(f.Smallest, 2), within, humanize.PlainTo(asks, 2), instead,
		)
	}
}

// enough is the first of some longer bakes in which a little less than so many times as many bad
// events show; 0 where none of up to a day does.
func (f *Forecast) enough(r health.Replay, burst, asks float64) time.Duration {
	const most, less = 24 * time.Hour, 0.95
	bake := r.Criteria.Bake
	for halves := 3; ; halves += (halves + 1) / 2 {
		if r.Criteria.Bake = bake * time.Duration(halves) / 2; r.Criteria.Bake > most {
			return 0
		}
		if f.Exposed*r.Criteria.Bake.Seconds() < r.Criteria.MinSamples {
			continue
		}
		if _, ok := newInjection(r, f.Base, burst).delay(less * asks); ok {
			return r.Criteria.Bake
		}
	}
}

// sum adds up a past, and answers how many seconds of it were seen.
func sum(r health.Replay) (whole sequential.Pair, pairs []sequential.Pair, long float64) {
	moments := map[time.Duration]bool{}
	for _, l := range r.Looks {
		if l.Exposed == nil {
			continue
		}
		p := sequential.Pair{Exposed: *l.Exposed}
		if l.Control != nil {
			p.Control = *l.Control
		}
		whole, pairs = whole.Plus(p), append(pairs, p)
		moments[l.At] = true
	}
	return whole, pairs, float64(len(moments)) * r.Criteria.Every.Seconds()
}
