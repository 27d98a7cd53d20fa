package health

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// Baseline is what a stage's targets showed before it was applied. Its zero value
// was not measured: nothing can be compared with it.
type Baseline struct {
	// From and At span what was measured.
	From time.Time `json:"from,omitzero"`
	At   time.Time `json:"at,omitzero"`
	// Requests of the targets that the stage will have exposed, and of the others,
	// in that time, both scaled from the sample to the whole arm.
	Exposed float64 `json:"exposed,omitempty"`
	Control float64 `json:"control,omitempty"`
	// Traffic says why requests could not be counted; empty when they were.
	Traffic string `json:"traffic,omitempty"`
	// Ratios are the events of the targets by check, for a comparison when no
	// control is left.
	Ratios map[string]Ratio `json:"ratios,omitempty"`
}

// Ratio is a check's events before a stage.
type Ratio struct {
	Bad   float64 `json:"bad"`
	Total float64 `json:"total"`
	// Missing says why they were not counted; empty when they were.
	Missing string `json:"missing,omitempty"`
}

// ratio is the baseline of a check as a judge compares with it.
func (b Baseline) ratio(check string) ratio {
	r, ok := b.Ratios[check]
	if !ok {
		r.Missing = "it was not measured before the stage"
	}
	if r.Missing != "" {
		return ratio{total: noData("", "nothing to compare with: %s", r.Missing)}
	}
	return ratio{bad: reading{value: r.Bad}, total: reading{value: r.Total}}
}

// Baseline measures the stage's targets before it is applied. Its error is only
// ctx's: what cannot be measured is said in the answer.
func (m *Meter) Baseline(ctx context.Context, at time.Time) (Baseline, error) {
	m.binding.Since = time.Time{} // nothing has been applied yet
	m.source.before()
	w, err := m.source.baseline(ctx, at)
	if err != nil {
		return Baseline{}, err
	}
	b := Baseline{From: w.from, At: w.at}
	for _, c := range m.spec.Checks {
		if c.Against == "" || len(m.binding.Control) > 0 {
			continue
		}
		r := m.ratio(ctx, c, exposed, w)
		kept := Ratio{Bad: r.bad.value, Total: r.total.value}
		if r.total.verdict != "" {
			kept.Missing = r.total.why
		} else if r.bad.verdict != "" {
			kept.Missing = r.bad.why
		}
		if b.Ratios == nil {
			b.Ratios = map[string]Ratio{}
		}
		b.Ratios[c.Name] = kept
	}
	if !slices.Contains(m.spec.Without, spec.CheckTraffic) {
		var why reading
		if b.Exposed, b.Control, why = m.requests(ctx, w); why.verdict != "" {
			b.Traffic = why.why
		}
	}
	return b, ctx.Err()
}

// requests counts both arms' requests in the window, scaled to whole arms.
func (m *Meter) requests(ctx context.Context, w window) (mine, others float64, trouble reading) {
	e := m.source.count(ctx, m.spec.Traffic, exposed, w, false)
	if e.verdict != "" && !e.empty {
		return 0, 0, e
	}
	if e.empty { // no request was counted at all
		e.span = w.length()
	}
	mine = e.value * m.source.scale(exposed)
	if len(m.binding.Control) == 0 {
		return mine, 0, reading{query: e.query, span: e.span}
	}
	c := m.source.count(ctx, m.spec.Traffic, control, w, false)
	if c.verdict != "" {
		return 0, 0, c
	}
	return mine, c.value * m.source.scale(control), reading{query: e.query, span: c.span}
}

// Limits of the share-of-traffic check.
const (
	// shareKept is how much of its share before the stage the exposed targets must
	// keep. Half: load balancing moves shares by less, and a cohort that is gone
	// loses all of it.
	shareKept = 0.5
	// minExpected is how many requests must be expected for their absence to mean
	// something.
	minExpected = 50
)

// traffic judges whether the exposed targets still get their share.
func (m *Meter) traffic(ctx context.Context, w window) Result {
	mine, others, r := m.requests(ctx, w)
	res := Result{Check: spec.CheckTraffic, Samples: mine}
	res.evidence(r)
	if r.verdict != "" {
		return res.without(r)
	}
	if least := m.source.absence(); r.span < least {
		return res.without(reading{verdict: Unexercised, why: fmt.Sprintf(
			"requests were counted for %s, at least %s are needed to tell that they are missing", r.span.Round(time.Millisecond), least)})
	}
	return judgeTraffic(res, m.binding.Before, mine, others, r.span, len(m.binding.Control) > 0)
}

// judgeTraffic compares requests with those expected from before the stage: by
// share where a control is left, by rate where none is.
func judgeTraffic(res Result, b Baseline, mine, others float64, span time.Duration, hasControl bool) Result {
	if b.Traffic != "" || b.At.IsZero() {
		why := b.Traffic
		if why == "" {
			why = "it was not measured"
		}
		return res.without(noData("", "traffic before the stage is unknown: %s", why))
	}
	if b.Exposed == 0 && mine == 0 {
		return res.without(reading{verdict: Unexercised, why: "the exposed targets had no traffic before the stage and have none now"})
	}
	var value, before, expected float64
	words := "%s of all requests, %s before the stage"
	if hasControl {
		value, before = share(mine, others), share(b.Exposed, b.Control)
		expected = before * (mine + others)
	} else {
		before = b.Exposed / b.At.Sub(b.From).Seconds()
		value, expected = mine/span.Seconds(), before*span.Seconds()
		words = "%s requests/s, %s before the stage (no control is left: the weaker comparison)"
	}
	limit := before * shareKept
	res.Value, res.Limit = &value, &limit
	say := plain
	if hasControl {
		say = percent
	}
	res.Sentence = res.Check + ": " + fmt.Sprintf(words, say(value), say(before))
	switch {
	case value >= limit && mine > 0:
		res.Verdict = Pass
	case expected < minExpected:
		res.Verdict = Unexercised
		res.Sentence += fmt.Sprintf("; %s requests expected, too few for their absence to mean anything", integer(expected))
	default:
		res.Verdict = Fail
		res.Sentence += fmt.Sprintf("; less than %s is left", percent(shareKept))
	}
	return res
}

func share(mine, others float64) float64 {
	if mine+others == 0 {
		return 0
	}
	return mine / (mine + others)
}
