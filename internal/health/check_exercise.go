package health

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// exercised takes a verdict back that means nothing, since what is judged has hardly
// happened: harm is harm all the same.
func (m *Meter) exercised(ctx context.Context, c spec.Check, at moment, res judged) judged {
	if c.Exercise == nil || res.Verdict != Pass {
		return res
	}
	ran := m.ran(ctx, c, at)
	res.evidence(ran)
	if ran = ran.counted(); ran.verdict != "" {
		return judged{Result: res.without(ran)}
	}
	least := float64(c.Exercise.Min)
	words := fmt.Sprintf("ran %s times, at least %s are needed", humanize.Integer(ran.value), humanize.Integer(least))
	if res.Sentence != "" {
		words = res.Sentence + "; " + words
	}
	res.Sentence = words
	if ran.value < least {
		res.Verdict = Unexercised
	}
	return res.unlessEarly(ran)
}

// exerciseOnly is a check that asks nothing else.
func (m *Meter) exerciseOnly(context.Context, spec.Check, moment) judged {
	return judged{Result: Result{Verdict: Pass}}
}

// ran is how often the exposed targets have done what a check is about since it
// counts; of metrics pages, in the newest window.
func (m *Meter) ran(ctx context.Context, c spec.Check, at moment) reading {
	return m.source.count(ctx, c.Exercise.Count, exposed, window{from: m.begin(at), at: at.at}, lackIsNone)
}
