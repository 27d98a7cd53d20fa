package health

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// exercised takes a verdict back that means nothing, since what is judged has hardly
// happened: harm is harm all the same.
func (m *Evaluator) exercised(ctx context.Context, c spec.Check, at lookInput, res judged) judged {
	if c.Exercise == nil || res.Verdict != Pass {
		return res
	}
	ran := m.ran(ctx, c, at)
	res.evidence(ran)
	if ran = ran.Counted(); ran.Verdict != "" {
		return judged{Result: res.without(ran)}
	}
	least := float64(c.Exercise.Min)
	words := fmt.Sprintf("ran %s times, at least %s are needed", humanize.Integer(ran.Value), humanize.Integer(least))
	if res.Sentence != "" {
		words = res.Sentence + "; " + words
	}
	res.Sentence = words
	if ran.Value < least {
		res.Verdict = Unexercised
	}
	return res.unlessEarly(ran)
}

// exerciseOnly is a check that asks nothing else.
func (m *Evaluator) exerciseOnly(context.Context, spec.Check, lookInput) judged {
	return judged{Result: Result{Verdict: Pass}}
}

// ran is how often the exposed targets have done what a check is about since it
// counts; of metrics pages, in the newest window.
func (m *Evaluator) ran(ctx context.Context, c spec.Check, at lookInput) source.Reading {
	return m.source.Count(ctx, c.Exercise.Count, source.Exposed, source.Window{From: m.begin(at), At: at.At}, source.EmptyIsZero)
}
