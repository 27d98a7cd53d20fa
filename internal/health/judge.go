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
	if c.Against != "" {
		limit = a.control.value() * (1 + number(c.Worse))
		res.Sentence = compared(c, a)
	} else {
		limit = number(c.Max)
		res.Sentence = fmt.Sprintf("%s: %s, limit %s", c.Name, a.exposed, percent(limit))
	}
	res.Value, res.Limit = &value, &limit
	breach := value > limit
	if breach && a.exposed.bad.value < minBad {
		breach = false
		res.Sentence += fmt.Sprintf("; fewer than %d bad events establish no harm", minBad)
	}
	return tolerate(c, res, breach, streak)
}

// compared words a comparison with the control.
func compared(c spec.Check, a arms) string {
	with := "control"
	if a.before {
		with = "before the stage (no control is left: the weaker comparison)"
	}
	by := "no errors to compare with"
	if v := a.control.value(); v > 0 {
		by = fmt.Sprintf("%+.0f%%", 100*(a.exposed.value()/v-1))
	}
	return fmt.Sprintf("%s: exposed %s vs %s %s; %s (limit +%.0f%%)", c.Name, a.exposed, with, a.control, by, 100*number(c.Worse))
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
	switch {
	case c.Max != nil && v > float64(*c.Max):
		breach = true
		res.Sentence = fmt.Sprintf("%s: %s is above the limit %s", c.Name, plain(v), plain(float64(*c.Max)))
		res.Limit = (*float64)(c.Max)
	case c.Min != nil && v < float64(*c.Min):
		breach = true
		res.Sentence = fmt.Sprintf("%s: %s is below the limit %s", c.Name, plain(v), plain(float64(*c.Min)))
		res.Limit = (*float64)(c.Min)
	case c.Max != nil:
		res.Sentence = fmt.Sprintf("%s: %s, limit %s", c.Name, plain(v), plain(float64(*c.Max)))
		res.Limit = (*float64)(c.Max)
	case c.Min != nil:
		res.Sentence = fmt.Sprintf("%s: %s, at least %s", c.Name, plain(v), plain(float64(*c.Min)))
		res.Limit = (*float64)(c.Min)
	default: // a spec without a limit is refused; were it not, nothing may pass
		res.Verdict, res.Sentence = NoData, c.Name+": has no limit to judge by"
		return judged{Result: res}
	}
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
		res.Sentence += fmt.Sprintf("; breach %d, %d in a row are tolerated", streak+1, c.Tolerate)
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
