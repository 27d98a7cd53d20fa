package health

import (
	"context"

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
}

// forms are all kinds of checks; the first that fits judges. Adding one is a file
// and a line here.
func forms() []form {
	return []form{
		{func(c spec.Check) bool { return c.Probe != nil }, (*Meter).probe},
		{func(c spec.Check) bool { return c.Alerts != nil }, (*Meter).alerts},
		{func(c spec.Check) bool { return c.Webhook != nil }, (*Meter).webhook},
		{func(c spec.Check) bool { return c.Each != "" }, (*Meter).each},
		{func(c spec.Check) bool { return c.Value != "" }, (*Meter).value},
		{func(c spec.Check) bool { return c.Total != "" }, (*Meter).ratioCheck},
	}
}

// judge reads and judges one check.
func (m *Meter) judge(ctx context.Context, c spec.Check, at moment) judged {
	for _, f := range forms() {
		if f.is(c) {
			return f.judge(m, ctx, c, at)
		}
	}
	return judged{Result: Result{Check: c.Name}.without(noData("", "it asks nothing"))}
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
	res := judgeRatio(c, m.numbers(ctx, c, at.window), at.streak)
	res.Sentence += m.sampled(c.Total)
	return res
}
