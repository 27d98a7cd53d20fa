package health

import (
	"fmt"
	"math"

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
	return fmt.Sprintf("%s (%s/%s)", percent(r.value()), integer(r.bad.value), integer(r.total.value))
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
		if r.verdict != "" {
			return judged{Result: res.without(r)}
		}
	}
	res.Samples = a.exposed.total.value
	need := math.Max(1, float64(c.MinSamples))
	switch {
	case a.exposed.total.value < need:
		res.Verdict = Unexercised
		res.Sentence = fmt.Sprintf("%s: %s events on the exposed targets, at least %s are needed", c.Name, integer(a.exposed.total.value), integer(need))
		return judged{Result: res}
	case c.Against != "" && a.control.total.value < need:
		res.Verdict = Unexercised
		res.Sentence = fmt.Sprintf("%s: %s events to compare with, at least %s are needed", c.Name, integer(a.control.total.value), integer(need))
		return judged{Result: res}
	}
	value, limit := a.exposed.value(), 0.0
	switch {
	case c.Against != "":
		limit = a.control.value() * (1 + number(c.Worse))
		res.Sentence = compared(c, a)
	case c.Max != nil:
		limit = float64(*c.Max)
		res.Sentence = limited(c, a.exposed, limit)
	default: // a spec without a limit is refused; were it not, nothing may pass
		return judged{Result: res.without(noData("", "it has no limit to judge by"))}
	}
	breach := value > limit
	if a.contradict(c) && (!breach || c.Against != "") {
		return judged{Result: res.without(noData("", "more bad events than events in total (%s): do bad and total count the same things?", a))}
	}
	res.Value, res.Limit = &value, &limit
	if breach && a.exposed.bad.value < minBad {
		breach = false
		res.Sentence += fmt.Sprintf("; fewer than %d bad events establish no harm", minBad)
	}
	return tolerate(c, res, breach, streak)
}

// contradict says that an arm shows more bad events than events. A little more may
// come of how a source estimates both.
func (a arms) contradict(c spec.Check) bool {
	off := func(r ratio) bool { return r.bad.value > 1.1*r.total.value }
	return off(a.exposed) || c.Against != "" && off(a.control)
}

func (a arms) String() string {
	if a.control.total.value == 0 {
		return a.exposed.String()
	}
	return fmt.Sprintf("exposed %s, control %s", a.exposed, a.control)
}

// limited words a comparison with a limit.
func limited(c spec.Check, r ratio, limit float64) string {
	value, most := apart(percentTo, 2, r.value(), limit)
	return fmt.Sprintf("%s: %s (%s/%s), limit %s", c.Name, value, integer(r.bad.value), integer(r.total.value), most)
}

// compared words a comparison with the control.
func compared(c spec.Check, a arms) string {
	with := "control"
	if a.before {
		with = "before the stage (no control is left: the weaker comparison)"
	}
	by := "no errors to compare with"
	worse := number(c.Worse)
	limit := "+" + percent(worse)
	if v := a.control.value(); v > 0 {
		more := a.exposed.value()/v - 1
		by, limit = apart(percentTo, 2, math.Abs(more), worse)
		if more < 0 {
			by, limit = percent(-more)+" better", percent(worse)
		} else {
			by = "+" + by + " worse"
		}
		limit = "+" + limit
	}
	return fmt.Sprintf("%s: exposed %s vs %s %s; %s (limit %s)", c.Name, a.exposed, with, a.control, by, limit)
}

// judgeValue is the verdict on a plain number.
func judgeValue(c spec.Check, r reading, streak int) judged {
	res := Result{Check: c.Name}
	res.evidence(r)
	if r.verdict != "" {
		return judged{Result: res.without(r)}
	}
	v := r.value
	res.Value = &v
	breach := false
	words, limit := "%s: %s, limit %s", c.Max
	switch {
	case c.Max != nil && v > float64(*c.Max):
		breach, words = true, "%s: %s above the limit %s"
	case c.Min != nil && v < float64(*c.Min):
		breach, words, limit = true, "%s: %s below the limit %s", c.Min
	case c.Max != nil:
	case c.Min != nil:
		words, limit = "%s: %s, at least %s", c.Min
	default: // a spec without a limit is refused; were it not, nothing may pass
		return judged{Result: res.without(noData("", "it has no limit to judge by"))}
	}
	res.Limit = new(float64(*limit))
	value, most := apart(plainTo, 4, v, *res.Limit)
	res.Sentence = fmt.Sprintf(words, c.Name, value, most)
	return tolerate(c, res, breach, streak)
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
	r.Verdict = from.verdict
	r.Sentence = r.Check + ": " + from.why
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
