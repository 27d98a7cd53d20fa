package health

import (
	"fmt"
	"math"

	"github.com/sluicehq/sluice/internal/numeral"
	"github.com/sluicehq/sluice/internal/spec"
)

// minBad is how many bad events the exposed targets must have shown before they
// establish anything: a single error on a quiet cohort is no regression.
const minBad = 5

// judged is a result, and whether it breaches the criterion: a breach may still
// be tolerated.
type judged struct {
	Result
	breach bool
}

// ratio is an arm's bad and total events.
type ratio struct{ bad, total reading }

func (r ratio) value() float64 { return r.bad.value / r.total.value }

func (r ratio) String() string {
	return fmt.Sprintf("%s (%s/%s)", numeral.Percent(r.value()), numeral.Integer(r.bad.value), numeral.Integer(r.total.value))
}

// arms are what a check compares. before says that control is not an arm but the
// exposed targets themselves, before the stage.
type arms struct {
	exposed, control ratio
	before           bool
}

// judgeRatio is the verdict on bad/total, against a limit or the control. It is
// pure: streak is how many looks in a row have breached already.
func judgeRatio(c spec.Check, a arms, streak int) judged {
	res := Result{Check: c.Name}
	readings := []reading{a.exposed.total, a.exposed.bad}
	if c.Against != "" {
		readings = append(readings, a.control.total, a.control.bad)
	}
	for _, r := range readings {
		res.evidence(r)
	}
	for _, r := range readings {
		if r = r.counted(); r.verdict != "" {
			return judged{Result: res.without(r)}
		}
	}
	if !sound(c) {
		return judged{Result: res.without(noData("", "it has no limit to judge by"))}
	}
	res.Samples = a.exposed.total.value
	need := math.Max(1, float64(c.MinSamples))
	switch {
	case a.exposed.total.value < need:
		res.Verdict = Unexercised
		res.Sentence = fmt.Sprintf("%s events on the exposed targets, at least %s are needed", numeral.Integer(a.exposed.total.value), numeral.Integer(need))
		return judged{Result: res}
	case c.Against != "" && a.control.total.value < need:
		res.Verdict = Unexercised
		res.Sentence = fmt.Sprintf("%s events to compare with, at least %s are needed", numeral.Integer(a.control.total.value), numeral.Integer(need))
		return judged{Result: res}
	}
	value, limit := a.exposed.value(), 0.0
	switch {
	case c.Against != "":
		limit = a.control.value() * (1 + number(c.Worse))
		res.Sentence = compared(c, a)
	default:
		limit = number(c.Max)
		res.Sentence = limited(a.exposed, limit)
	}
	breach := value > limit
	if a.contradict(c) && (!breach || c.Against != "") {
		return judged{Result: res.without(noData("", "more bad events than events in total (%s): do bad and total count the same things?", a))}
	}
	res.Value, res.Limit = &value, &limit
	if breach && a.exposed.bad.value < minBad && (c.Against != "" || limit > 0) {
		return few(c, a, res)
	}
	return tolerate(c, res, breach, streak).only(a.exposed.total, a.exposed.bad)
}

// few is the verdict on a ratio above its limit that rests on few bad events. They
// establish no harm; it passes only where chance alone explains them.
func few(c spec.Check, a arms, res Result) judged {
	bad, total := a.exposed.bad.value, a.exposed.total.value
	likely := atLeast(bad, math.Inf(1), *res.Limit*total)
	if c.Against != "" {
		mine, all := total*(1+number(c.Worse)), bad+a.control.bad.value
		likely = atLeast(bad, all, all*mine/(mine+a.control.total.value))
	}
	res.Sentence += fmt.Sprintf("; fewer than %d bad events establish no harm", minBad)
	if likely >= byChance {
		return tolerate(c, res, false, 0).only(a.exposed.total, a.exposed.bad)
	}
	res.Verdict = Unexercised
	res.Sentence += ", but are more than chance explains: more events are needed"
	return judged{Result: res}
}

// byChance is how likely few bad events must be on healthy targets to be put down
// to chance.
const byChance = 0.05

// atLeast is how likely k or more of n events are where mean are expected: the tail
// of a binomial distribution, or with infinite n of a Poisson one. It is meant for
// small k.
func atLeast(k, n, mean float64) float64 {
	p := mean / n
	switch {
	case k <= 0 || p >= 1:
		return 1
	case mean <= 0:
		return 0
	}
	term := math.Exp(-mean)
	if p > 0 {
		term = math.Pow(1-p, n)
	}
	fewer := 0.0
	for i := 0.0; i < k; i++ {
		fewer += term
		if p > 0 {
			term *= max(0, n-i) / (i + 1) * p / (1 - p)
		} else {
			term *= mean / (i + 1)
		}
	}
	return max(0, 1-fewer)
}

// only lets nothing pass that also rests on the time before evidence counts.
func (j judged) only(readings ...reading) judged {
	for _, r := range readings {
		if j.Verdict == Pass && r.early != "" {
			j.Verdict = Unexercised
			j.Sentence += "; no evidence of health yet: " + r.early
		}
	}
	return j
}

// contradicts says that there are more bad events than events. A little more may
// come of how a source estimates both.
func (r ratio) contradicts() bool { return r.bad.value > 1.1*r.total.value }

// contradict says that an arm shows more bad events than events.
func (a arms) contradict(c spec.Check) bool {
	return a.exposed.contradicts() || c.Against != "" && a.control.contradicts()
}

func (a arms) String() string {
	if a.control.total.value == 0 {
		return a.exposed.String()
	}
	return fmt.Sprintf("exposed %s, control %s", a.exposed, a.control)
}

// limited words a comparison with a limit.
func limited(r ratio, limit float64) string {
	value, most := numeral.Apart(numeral.PercentTo, 2, r.value(), limit)
	return fmt.Sprintf("%s (%s/%s), limit %s", value, numeral.Integer(r.bad.value), numeral.Integer(r.total.value), most)
}

// compared words a comparison with the control.
func compared(c spec.Check, a arms) string {
	with := "control"
	if a.before {
		with = "before the stage (no control is left: the weaker comparison)"
	}
	by := "no errors to compare with"
	worse := number(c.Worse)
	limit := "+" + numeral.Percent(worse)
	if v := a.control.value(); v > 0 {
		more := a.exposed.value()/v - 1
		by, limit = numeral.Apart(numeral.PercentTo, 2, math.Abs(more), worse)
		if more < 0 {
			by, limit = numeral.Percent(-more)+" better", numeral.Percent(worse)
		} else {
			by = "+" + by + " worse"
		}
		limit = "+" + limit
	}
	return fmt.Sprintf("exposed %s vs %s %s; %s (limit %s)", a.exposed, with, a.control, by, limit)
}

// judgeValue is the verdict on a plain number.
func judgeValue(c spec.Check, r reading, streak int) judged {
	res := Result{Check: c.Name}
	res.evidence(r)
	if r = r.usable(); r.verdict != "" {
		return judged{Result: res.without(r)}
	}
	if !sound(c) {
		return judged{Result: res.without(noData("", "it has no limit to judge by"))}
	}
	v := r.value
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
	value, most := numeral.Apart(numeral.PlainTo, 4, v, *res.Limit)
	res.Sentence = fmt.Sprintf(words, value, most)
	return tolerate(c, res, breach, streak).only(r)
}

// sound says that a check has limits to judge by. A spec where it has not is
// refused; were it not, nothing may pass.
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

// tolerate forgives some breaches in a row: until then the check neither passes
// nor fails.
func tolerate(c spec.Check, res Result, breach bool, streak int) judged {
	switch {
	case !breach:
		res.Verdict = Pass
	case streak+1 > c.Tolerate:
		res.Verdict = Fail
	default:
		res.Verdict, res.Pending = Unexercised, true
		res.Sentence += fmt.Sprintf(", breach %d of %d tolerated", streak+1, c.Tolerate)
	}
	return judged{Result: res, breach: breach}
}

// evidence keeps what a reading rests on.
func (r *Result) evidence(from reading) {
	if from.query != "" {
		r.Queries = append(r.Queries, cut(from.query, maxQuery))
	}
	for _, w := range from.warnings {
		if len(r.Warnings) < maxWarnings {
			r.Warnings = append(r.Warnings, cut(w, maxQuery))
		}
	}
}

// without is the result of a reading that cannot be judged.
func (r Result) without(from reading) Result {
	r.Verdict, r.Sentence = from.verdict, from.why
	return r
}

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
