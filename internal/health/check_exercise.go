package health

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// exercised takes a verdict back that means nothing, since what is judged has hardly happened: harm
// is harm all the same.
func (m *Stage) exercised(ctx context.Context, c spec.Check, at Look, res Judged) Judged {
	if c.Exercise == nil || res.Verdict != Pass {
		return res
	}
	// How often it has happened since evidence counts; of metrics pages, in the newest window.
	ran := m.source.Count(ctx, c.Exercise.Count, source.Exposed, source.Window{From: m.begin(at), At: at.At}, source.EmptyIsZero)
	res.evidence(ran)
	if ran = ran.Counted(); ran.Verdict != "" {
		return res.without(ran)
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

// ExerciseForm is a check that asks nothing else.
func ExerciseForm() Form {
	return Form{
		Name: "exercise",
		Is:   func(c spec.Check) bool { return c.Exercise != nil && c.Value == "" && !c.Counts() && !c.External() },
		Open: func(*Stage, spec.Check) (Check, error) { return exerciseOnly{}, nil },
	}
}

// exerciseOnly passes: every check with exercise is judged by that in the end.
type exerciseOnly struct{}

// Judge finds nothing wrong.
func (exerciseOnly) Judge(context.Context, Look) Judged { return Judged{Result: Result{Verdict: Pass}} }
