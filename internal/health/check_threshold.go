package health

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// minBad is how many bad events the exposed targets must have shown before they establish anything:
// a single error on a quiet cohort is no regression.
const minBad = 5

// Judged is a result, and whether it breaches the criterion: a breach may still be tolerated.
type Judged struct {
	Result
	Breach bool
}

// ratio is an arm's bad and total events.
type ratio struct{ bad, total source.Reading }

func (r ratio) value() float64 { return r.bad.Value / r.total.Value }

// counted is the reading that is no count; its verdict is empty where both are.
func (r ratio) counted() source.Reading {
	for _, part := range []source.Reading{r.total, r.bad} {
		if part = part.Counted(); part.Verdict != "" {
			return part
		}
	}
	return source.Reading{}
}

func (r ratio) String() string {
	return fmt.Sprintf("%s (%s/%s)", humanize.Percent(r.value()), humanize.Integer(r.bad.Value), humanize.Integer(r.total.Value))
}

// ValueForm is a check of a number inside limits.
func ValueForm() Form {
	return Form{
		Name: "value", Is: func(c spec.Check) bool { return c.Value != "" && c.Each == "" && c.Against == "" },
		Open: func(s *Stage, c spec.Check) (Check, error) { return valueCheck{s, c}, nil },
	}
}

// RatioForm is a check of a share of bad events below a limit.
func RatioForm() Form {
	return Form{
		Name: "bad and total",
		Is: func(c spec.Check) bool {
			return c.Counts() && c.Each == "" && c.Against == "" && c.Objective == nil
		},
		Open: func(s *Stage, c spec.Check) (Check, error) { return ratioCheck{s, c}, nil },
	}
}

// valueCheck judges a number, and ratioCheck a share of bad events.
type (
	valueCheck stageCheck
	ratioCheck stageCheck
)

// Judge asks for the number.
func (m valueCheck) Judge(ctx context.Context, at Look) Judged {
	res := judgeValue(m.check, m.source.Gauge(ctx, m.check.Value, at.Window), at.Streak)
	res.Sentence += m.sampled(m.check.Value)
	return res
}

// Judge counts the exposed targets' events.
func (m ratioCheck) Judge(ctx context.Context, at Look) Judged {
	res := judgeRatio(m.check, m.ratio(ctx, m.check, source.Exposed, at.Window), at.Streak)
	res.Sentence += m.sampled(m.check.Total)
	return res
}

// judgeRatio is the verdict on bad/total against a limit. It is pure: streak is how many looks in a
// row have breached already.
func judgeRatio(c spec.Check, exposed ratio, streak int) Judged {
	var res Result
	res.evidence(exposed.total, exposed.bad)
	if r := exposed.counted(); r.Verdict != "" {
		return res.without(r)
	}
	if !sound(c) {
		return res.without(source.NoData("", "it has no limit to judge by"))
	}
	res.Samples = exposed.total.Value
	if need := math.Max(1, float64(c.MinSamples)); exposed.total.Value < need {
		res.Verdict = Unexercised
		res.Sentence = fmt.Sprintf(
			"%s events on the exposed targets, at least %s are needed", humanize.Integer(exposed.total.Value), humanize.Integer(need),
		)
		return Judged{Result: res}
	}
	value, limit := exposed.value(), number(c.Max)
	res.Sentence = limited(exposed, limit)
	breach := value > limit
	if exposed.contradicts() && !breach {
		return res.without(source.NoData("", "more bad events than events in total (%s): do bad and total count the same things?", exposed))
	}
	res.Value, res.Limit = &value, &limit
	if breach && exposed.bad.Value < minBad && limit > 0 {
		return few(exposed, res)
	}
	return tolerate(c, res, breach, streak).unlessEarly(exposed.total, exposed.bad)
}

// few is the verdict on a ratio above its limit that rests on few bad events. They establish no
// harm; it passes only where chance alone explains them.
func few(exposed ratio, res Result) Judged {
	likely := mathext.GammaIncReg(math.Ceil(exposed.bad.Value), *res.Limit*exposed.total.Value) // of a Poisson distribution
	res.Suspicion = humanize.Percent(*res.Value)
	res.Sentence += fmt.Sprintf("; fewer than %d bad events establish no harm", minBad)
	if likely >= byChance { // so few come of a share within the limit, too
		res.Estimate, res.Value = res.Value, res.Limit
		return tolerate(spec.Check{}, res, false, 0).unlessEarly(exposed.total, exposed.bad)
	}
	res.Verdict = Unexercised
	res.Sentence += ", but are more than chance explains: more events are needed"
	return Judged{Result: res}
}

// byChance is how likely few bad events must be on healthy targets to be put down to chance.
const byChance = 0.05

// unlessEarly lets nothing pass that also rests on the time before evidence counts.
func (j Judged) unlessEarly(readings ...source.Reading) Judged {
	for _, r := range readings {
		if j.Verdict == Pass && r.Early != "" {
			j.Verdict = Unexercised
			j.Sentence += "; no evidence of health yet: " + r.Early
		}
	}
	return j
}

// contradicts says that there are more bad events than events. A little more may come of how a
// source estimates both.
func (r ratio) contradicts() bool { return r.bad.Value > 1.1*r.total.Value }

// limited words a comparison with a limit.
func limited(r ratio, limit float64) string {
	value, most := humanize.Apart(humanize.PercentTo, 2, r.value(), limit)
	return fmt.Sprintf("%s (%s/%s), limit %s", value, humanize.Integer(r.bad.Value), humanize.Integer(r.total.Value), most)
}

// judgeValue is the verdict on a plain number.
func judgeValue(c spec.Check, r source.Reading, streak int) Judged {
	var res Result
	res.evidence(r)
	if r.Gone != "" && c.Min != nil && *c.Min > 0 && sound(c) { // nothing at all is below it
		res.Sentence = r.Gone
		return tolerate(c, res, true, streak)
	}
	if r = r.Usable(); r.Verdict != "" {
		return res.without(r)
	}
	if !sound(c) {
		return res.without(source.NoData("", "it has no limit to judge by"))
	}
	v := r.Value
	res.Value = &v
	breach := false
	words, limit := "%s, limit %s", c.Max
	switch {
	case c.Max != nil && v > float64(*c.Max):
		breach, words = true, "%s above the limit %s"
	case c.Min != nil && v < float64(*c.Min):
		breach, words, limit = true, "%s below the limit %s", c.Min
	case c.Max != nil:
	default:
		words, limit = "%s, at least %s", c.Min
	}
	res.Limit = new(float64(*limit))
	value, most := humanize.Apart(humanize.PlainTo, 4, v, *res.Limit)
	res.Sentence = fmt.Sprintf(words, value, most)
	return tolerate(c, res, breach, streak).unlessEarly(r)
}

// sound says that a check has limits to judge by. A spec where it has not is refused; were it not,
// nothing may pass.
func sound(c spec.Check) bool {
	for _, limit := range []*spec.Number{c.Max, c.Min, c.Worse} {
		if v := number(limit); math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	switch {
	case c.Value != "":
		return c.Max != nil || c.Min != nil
	case c.Against == "":
		return number(c.Max) >= 0 && c.Max != nil
	}
	return c.Against == spec.AgainstControl && number(c.Worse) >= 0
}

// tolerate forgives some breaches in a row: until then the check neither passes nor fails.
func tolerate(c spec.Check, res Result, breach bool, streak int) Judged {
	switch {
	case !breach:
		res.Verdict = Pass
	case streak+1 > c.Tolerate:
		res.Verdict = Fail
	default:
		res.Verdict, res.Pending = Unexercised, true
		res.Suspicion = fmt.Sprintf("breach %d of %d tolerated", streak+1, c.Tolerate)
		res.Sentence += ", " + res.Suspicion
	}
	return Judged{Result: res, Breach: breach}
}

// evidence keeps what readings rest on.
func (r *Result) evidence(readings ...source.Reading) {
	for _, from := range readings {
		if from.Query != "" {
			r.Queries = append(r.Queries, source.Cut(from.Query, maxQuery))
		}
		for _, w := range from.Warnings {
			if len(r.Warnings) < maxWarnings {
				r.Warnings = append(r.Warnings, source.Cut(w, maxQuery))
			}
		}
	}
}

// without is the result of a reading that cannot be judged.
func (r Result) without(from source.Reading) Judged {
	r.Verdict, r.Sentence, r.Impossible, r.Refused = from.Verdict, from.Why, from.Impossible, from.Refused
	return Judged{Result: r}
}

// weaker is what evidence says where an arm is compared with its own past for want of another.
const weaker = " (no control is left: the weaker comparison)"

const (
	maxQuery    = 1000
	maxWarnings = 5
)

func number(n *spec.Number) float64 {
	if n == nil {
		return 0
	}
	return float64(*n)
}
