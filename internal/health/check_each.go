package health

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// Among many healthy targets the worst one looks bad by chance. These limits say how likely such a
// target may be in a fleet whose targets are all just at their limit.
const (
	// outlierChance or less establishes harm. It is small, since looks are many.
	outlierChance = 1e-4
	// noise or more passes; between the two more events are needed.
	noise = byChance
)

// perTargetInput is what a check of each target judges.
type perTargetInput struct {
	// targets are those that were read, and of is how many targets there are.
	targets []member
	of      int
	control ratio // to compare with, of all its targets together
	before  bool  // the control is the exposed targets before the stage
	// whole is what concerns all targets, and the evidence.
	whole []source.Reading
	// missed are the targets that had no data before the stage either. silent is how many other
	// targets may have no data.
	missed map[string]bool
	silent int
}

// member is what one target showed: bad and total events, or the value.
type member struct {
	id    string
	ratio ratio
	value source.Reading
}

// EachForm is a check of every single target.
func EachForm() Form {
	return Form{
		Name: "each", Is: func(c spec.Check) bool { return c.Each != "" },
		Open: func(s *Stage, c spec.Check) (Check, error) { return eachCheck{s, c}, nil },
	}
}

// eachCheck judges every exposed target on its own.
type eachCheck stageCheck

// Judge reads every target and judges them.
func (m eachCheck) Judge(ctx context.Context, at Look) Judged {
	return judgeEach(m.check, m.readTargets(ctx, m.check, at.Window), at.Streak)
}

// readTargets reads every single target's numbers for a check.
func (m *Stage) readTargets(ctx context.Context, c spec.Check, w source.Window) perTargetInput {
	e := perTargetInput{missed: map[string]bool{}, silent: m.binding.Silent}
	for _, id := range m.binding.Before.Missing[c.Name] {
		e.missed[id] = true
	}
	if c.Value != "" {
		values := source.PerTargetOf(m.source).Gauges(ctx, c.Value, source.Exposed, w)
		e.whole, e.of = []source.Reading{values.Reading}, values.Asked
		for id, r := range values.Of {
			e.targets = append(e.targets, member{id: id, value: r})
		}
		return e
	}
	total := source.PerTargetOf(m.source).Counts(ctx, c.Total, w, source.EmptyIsUnknown)
	if e.whole, e.of = []source.Reading{total.Reading}, total.Asked; total.Verdict != "" {
		return e
	}
	bad := source.PerTargetOf(m.source).Counts(ctx, c.Bad, w, source.EmptyIsZero)
	e.whole = append(e.whole, bad.Reading)
	for id, r := range total.Of {
		e.targets = append(e.targets, member{id: id, ratio: ratio{bad: bad.Of[id], total: r}})
	}
	if c.Against != "" {
		if e.before = len(m.binding.Control) == 0; e.before {
			e.control = m.binding.Before.ratio(c.Name)
		} else {
			e.control = m.ratio(ctx, c, source.Control, w)
		}
		e.whole = append(e.whole, e.control.total, e.control.bad)
	}
	return e
}

// judgeEach is the verdict on every single target. It is pure: streak is how many looks in a row
// have breached already.
func judgeEach(c spec.Check, e perTargetInput, streak int) Judged {
	var res Result
	res.evidence(e.whole...)
	for _, r := range e.whole {
		if r.Verdict != "" {
			return res.without(r)
		}
	}
	switch {
	case !sound(c):
		return res.without(source.NoData("", "it has no limit to judge by"))
	case len(e.targets) == 0:
		return res.without(source.NoData("", "no target to judge"))
	case c.Against != "":
		if r := comparable(c, e.control); r.Verdict != "" {
			return res.without(r)
		}
	}
	t := e.rank(c)
	if len(t.ranked) > 0 {
		worst := t.ranked[0]
		res.Estimate, res.Value, res.Limit, res.Samples = &worst.value, &worst.value, &worst.limit, t.samples
		if worst.is == doubtful {
			res.Suspicion = source.Cut(worst.words, 80)
		}
	}
	verdict, sentence := t.conclude(c, e)
	res.Sentence = sentence
	if verdict == Pass { // what is above the limit is tolerated, or chance explains it
		res.Value = t.inside()
	}
	if n := len(e.targets); n < e.of {
		res.Sentence += fmt.Sprintf(" [read on %s of %s targets]", humanize.Integer(float64(n)), humanize.Integer(float64(e.of)))
	}
	switch verdict {
	case Fail:
		return tolerate(c, res, true, streak)
	case Pass:
		return tolerate(c, res, false, streak).unlessEarly(e.whole...)
	}
	res.Verdict = verdict
	return Judged{Result: res}
}

// comparable says what is wrong with a control.
func comparable(c spec.Check, control ratio) source.Reading {
	need := math.Max(1, float64(c.MinSamples))
	bad := control.counted()
	switch {
	case bad.Verdict != "":
		return bad
	case control.total.Value < need:
		return source.Reading{
			Verdict: Unexercised,
			Why:     fmt.Sprintf("%s events to compare with, at least %s are needed", humanize.Integer(control.total.Value), humanize.Integer(need)),
		}
	case control.contradicts():
		return source.NoData("", "more bad events than events in total (control %s): do bad and total count the same things?", control)
	}
	return source.Reading{}
}

// ranking is the state of all targets, those with a number worst first.
type ranking struct {
	ranked  []placed // those with a number that is judged, worst first
	unknown []placed // by id
	missed  int      // of the unknown, those that had no data before either
	idle    int
	samples float64
}

// inside is the worst number within its limit; the limit, where none is.
func (t ranking) inside() *float64 {
	for _, v := range t.ranked {
		if v.excess <= 0 {
			return &v.value
		}
	}
	return &t.ranked[0].limit
}

// rank judges each target. What chance alone may do depends on how many are judged.
func (e perTargetInput) rank(c spec.Check) ranking {
	var t ranking
	for _, m := range e.targets {
		v := e.look(c, m)
		switch v.is {
		case unknown:
			t.unknown = append(t.unknown, v)
			if e.missed[m.id] {
				t.missed++
			}
		case idle:
			t.idle++
		default:
			t.ranked = append(t.ranked, v)
			t.samples += m.ratio.total.Value
		}
	}
	for i, v := range t.ranked {
		if v.is == breaches && c.Value == "" {
			t.ranked[i].is = e.established(c, v, float64(len(t.ranked)))
		}
	}
	slices.SortFunc(t.ranked, func(a, b placed) int {
		return cmp.Or(cmp.Compare(b.is, a.is), cmp.Compare(b.excess, a.excess), cmp.Compare(a.id, b.id))
	})
	slices.SortFunc(t.unknown, func(a, b placed) int { return cmp.Compare(a.id, b.id) })
	return t
}

// conclude is the verdict on all, before anything is tolerated over time.
func (t ranking) conclude(c spec.Check, e perTargetInput) (Verdict, string) {
	all := len(e.targets)
	// Half of the targets are no outliers.
	allowed := min(c.Outliers, (all-1)/2)
	out, doubts := 0, 0
	for _, v := range t.ranked {
		switch v.is {
		case breaches:
			out++
		case doubtful:
			doubts++
		}
	}
	missing := max(0, len(t.unknown)-t.missed-e.silent)
	switch {
	case out > allowed:
		return Fail, t.named(c, e, out, allowed)
	case out+missing > allowed && missing > 0:
		return lacking(t.unknown), t.dark(e)
	case 2*len(t.ranked) < all:
		return Unexercised, t.thin(c, all)
	case out+doubts+missing > allowed:
		return Unexercised, t.named(c, e, out+doubts, allowed) +
			", more than chance explains and too few bad events to establish harm: more events are needed"
	case out+doubts > 0:
		return Pass, t.named(c, e, out+doubts, allowed) + t.rest(c)
	}
	return Pass, t.fine(c, e) + t.rest(c)
}

// lacking is NODATA, or STALE when all that is unknown is.
func lacking(unknown []placed) Verdict {
	if slices.ContainsFunc(unknown, func(v placed) bool { return v.why.Verdict != Stale }) {
		return NoData
	}
	return Stale
}
