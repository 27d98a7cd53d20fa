package health

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// moment is what a check is judged at.
type moment struct {
	window
	// ask are the exposed targets that are asked themselves, where a check does so.
	ask []fleet.Target
	// streak is how many looks in a row have breached already.
	streak int
}

// form is one kind of check.
type form struct {
	is    func(spec.Check) bool
	judge func(*Meter, context.Context, spec.Check, moment) judged
	// ready says what of the check or the fleet makes judging impossible; nil where
	// nothing can.
	ready func(*Meter, spec.Check) error
	// slow says that it asks every target, which takes as long as there are many.
	slow bool
}

// forms are all kinds of checks; the first that fits judges. Adding one is a file
// and a line here.
func forms() []form {
	return []form{
		{is: func(c spec.Check) bool { return c.Probe != nil }, judge: (*Meter).probe, ready: (*Meter).readyProbe, slow: true},
		{is: func(c spec.Check) bool { return c.Alerts != nil }, judge: (*Meter).alerts, ready: (*Meter).readyAlerts},
		{is: func(c spec.Check) bool { return c.Webhook != nil }, judge: (*Meter).webhook},
		{is: func(c spec.Check) bool { return c.Each != "" }, judge: (*Meter).each},
		{is: compares, judge: (*Meter).compare},
		{is: spec.Check.Means, judge: (*Meter).compareMeans},
		{is: func(c spec.Check) bool { return c.Value != "" }, judge: (*Meter).value},
		{is: func(c spec.Check) bool { return c.Total != "" }, judge: (*Meter).ratioCheck},
		{is: func(c spec.Check) bool { return c.Exercise != nil }, judge: (*Meter).exerciseOnly},
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
func (m *Meter) ready() error {
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
func (m *Meter) judge(ctx, data context.Context, c spec.Check, at moment) judged {
	f, ok := formOf(c)
	if !ok {
		return judged{Result: Result{Check: c.Name}.without(noData("", "it asks nothing"))}
	}
	asking := data
	if f.slow {
		asking = ctx
	}
	res := m.exercised(data, c, at, f.judge(m, asking, c, at))
	res.Check = c.Name
	return res
}

func (m *Meter) each(ctx context.Context, c spec.Check, at moment) judged {
	return judgeEach(c, m.everyone(ctx, c, at.window), at.streak)
}

func (m *Meter) value(ctx context.Context, c spec.Check, at moment) judged {
	res := judgeValue(c, m.source.gauge(ctx, c.Value, at.window), at.streak)
	res.Sentence += m.sampled(c.Value)
	return res
}

func (m *Meter) ratioCheck(ctx context.Context, c spec.Check, at moment) judged {
	res := judgeRatio(c, m.ratio(ctx, c, exposed, at.window), at.streak)
	res.Sentence += m.sampled(c.Total)
	return res
}
