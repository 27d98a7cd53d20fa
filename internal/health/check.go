package health

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// lookInput is what a check is judged at.
type lookInput struct {
	source.Window
	// ask are the exposed targets that are asked themselves, where a check does so.
	ask []fleet.Target
	// streak is how many looks in a row have breached already.
	streak int
}

// form is one kind of check.
type form struct {
	is    func(spec.Check) bool
	judge func(*Evaluator, context.Context, spec.Check, lookInput) judged
	// ready says what of the check or the fleet makes judging impossible; nil where
	// nothing can.
	ready func(*Evaluator, spec.Check) error
	// slow says that it asks every target, which takes as long as there are many.
	slow bool
}

// forms are all kinds of checks; the first that fits judges. Adding one is a file
// and a line here.
func forms() []form {
	return []form{
		{is: func(c spec.Check) bool { return c.Probe != nil }, judge: (*Evaluator).probe, ready: (*Evaluator).readyProbe, slow: true},
		{is: func(c spec.Check) bool { return c.Alerts != nil }, judge: (*Evaluator).alerts, ready: (*Evaluator).readyAlerts},
		{is: func(c spec.Check) bool { return c.Webhook != nil }, judge: (*Evaluator).webhook},
		{is: func(c spec.Check) bool { return c.Each != "" }, judge: (*Evaluator).each},
		{is: compares, judge: (*Evaluator).compare},
		{is: spec.Check.Means, judge: (*Evaluator).compareMeans},
		{is: func(c spec.Check) bool { return c.Value != "" }, judge: (*Evaluator).value},
		{is: func(c spec.Check) bool { return c.Total != "" }, judge: (*Evaluator).ratioCheck},
		{is: func(c spec.Check) bool { return c.Exercise != nil }, judge: (*Evaluator).exerciseOnly},
	}
}

// formOf is a check's form.
func formOf(c spec.Check) (form, bool) {
	all := forms()
	if i := slices.IndexFunc(all, func(f form) bool { return f.is(c) }); i >= 0 {
		return all[i], true
	}
	return form{}, false
}

// ready makes sure that every check can be judged.
func (m *Evaluator) ready() error {
	for _, c := range m.spec.Checks {
		if f, ok := formOf(c); ok && f.ready != nil {
			if err := f.ready(m, c); err != nil {
				return fmt.Errorf("check %q: %w", c.Name, err)
			}
		}
	}
	return nil
}

// judge reads and judges one check, within data's limit unless it is slow.
func (m *Evaluator) judge(ctx, data context.Context, c spec.Check, at lookInput) judged {
	f, ok := formOf(c)
	if !ok {
		return judged{Result: Result{Check: c.Name}.without(source.NoData("", "it asks nothing"))}
	}
	asking := data
	if f.slow {
		asking = ctx
	}
	res := m.exercised(data, c, at, f.judge(m, asking, c, at))
	res.Check = c.Name
	return res
}

func (m *Evaluator) each(ctx context.Context, c spec.Check, at lookInput) judged {
	return judgeEach(c, m.readTargets(ctx, c, at.Window), at.streak)
}

func (m *Evaluator) value(ctx context.Context, c spec.Check, at lookInput) judged {
	res := judgeValue(c, m.source.Gauge(ctx, c.Value, at.Window), at.streak)
	res.Sentence += m.sampled(c.Value)
	return res
}

func (m *Evaluator) ratioCheck(ctx context.Context, c spec.Check, at lookInput) judged {
	res := judgeRatio(c, m.ratio(ctx, c, source.Exposed, at.Window), at.streak)
	res.Sentence += m.sampled(c.Total)
	return res
}
