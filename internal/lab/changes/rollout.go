package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// ending is how a change would have ended.
type ending string

const (
	promoted ending = "promoted" // a gate passed it
	held     ending = "held"     // no gate passed it, and no check failed
	blamed   ending = "blamed"   // a check failed
	refused  ending = "refused"  // its targets were ill before it: it was not begun
)

// decision is an ending, when it was decided, and why.
type decision struct {
	ending
	after time.Duration // since the change
	check string
	why   string
}

// preflightLooks are as many as a rollout looks before it begins, if something is wrong.
const preflightLooks = 3

// rollout judges a change as the rollout of a spec would: preflight, baseline, a look every so
// often, the gate, and a hold.
func rollout(ctx context.Context, text string, c change) (decision, error) {
	kinds := withRecorded(c)
	doc, err := spec.Parse("spec.yaml", []byte(text), kinds.Kinds())
	if err != nil {
		return decision{}, err
	}
	h, stage, deps := doc.Spec.Health, doc.Spec.Stages[0], kinds.Health()
	b := health.Binding{
		Scope: source.Scope{
			Unit: doc.Spec.Unit, Stage: stage.Name, Exposed: targets(c.exposed), Cohort: targets(c.exposed), Control: targets(c.control),
		},
		Bake: stage.Bake.Std(), Hold: stage.DecideWithin.Std() / 2, Stages: doc.Spec.JudgedStages(),
	}
	m, err := health.Open(h, b, deps)
	if err != nil {
		return decision{}, err
	}
	every, end := h.Every.Std(), stage.Bake.Std()+stage.DecideWithin.Std()
	var report health.Report
	for n := preflightLooks - 1; n >= 0; n-- {
		if report, err = m.LookAll(ctx, c.before.Add(-time.Duration(n)*every)); err != nil {
			return decision{}, err
		}
	}
	if report.Verdict() == health.Fail {
		return decide(refused, 0, report), nil
	}
	if m, err = health.Open(h, b, deps); err != nil {
		return decision{}, err
	}
	if b.Before, err = m.Measure(ctx, c.before); err != nil {
		return decision{}, err
	}
	b.Since = c.at
	if m, err = health.Open(h, b, deps); err != nil {
		return decision{}, err
	}
	for after := every; after <= end; after += every {
		report, err = m.Look(ctx, c.at.Add(after))
		switch {
		case err != nil:
			return decision{}, err
		case report.Verdict() == health.Fail:
			return decide(blamed, after, report), nil
		case report.Verdict() == health.Pass && after >= stage.Bake.Std():
			return decide(promoted, after, report), nil
		}
	}
	return decide(held, end, report), nil
}

// decide words an ending by the checks that it rests on.
func decide(e ending, after time.Duration, r health.Report) decision {
	d := decision{ending: e, after: after}
	for _, res := range r.Results {
		if res.Verdict == r.Verdict() {
			d.check, d.why = res.Check, res.Sentence
			break
		}
	}
	return d
}

func targets(ids []string) (out []fleet.Target) {
	for _, id := range ids {
		out = append(out, fleet.Target{ID: id, Address: fmt.Sprint(id, ":1")})
	}
	return out
}
