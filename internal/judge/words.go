package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// ratio words an arm.
func ratio(c sequential.Counts) string {
	if c.Total <= 0 {
		return "nothing"
	}
	return fmt.Sprintf("%s (%s/%s)", humanize.Percent(c.Bad/c.Total), humanize.Integer(c.Bad), humanize.Integer(c.Total))
}

// otherArm is what the other arm showed.
func (j *Judge) otherArm(seen sequential.Pair) sequential.Counts {
	switch {
	case j.criteria.limit() > 0: // a limit has no samples
		return sequential.Counts{Total: j.criteria.MinSamples + 1}
	case j.criteria.Before:
		return j.selfBaseline.Counts
	}
	return seen.Control
}

// lately is the end of the trace that shows most harm, where the whole of it hides that: how much
// was seen in it, and in how many looks. It answers false where the whole shows it.
func (j *Judge) lately(out Outcome) (seen sequential.Pair, looks int, late bool) {
	allowed := 1 + j.criteria.Worse
	if out.Verdict != Fail || out.Ratio > allowed {
		return seen, 0, false
	}
	usual := sequential.RateRatio([]sequential.Pair{j.test.Seen()}) / out.Ratio
	best, sum, n := 0.0, sequential.Pair{}, 0
	for i := len(j.trace) - 1; i >= 0; i-- {
		sum, n = sum.Plus(j.trace[i].Pair), n+j.trace[i].Looks
		if e := sequential.Likelier(sum, usual*allowed); e > best {
			best, seen, looks = e, sum, n
		}
	}
	return seen, looks, looks > 0
}

// compared words how the arms compare.
func (j *Judge) compared(out Outcome) string {
	seen := j.test.Seen()
	lately := ""
	if end, looks, ok := j.lately(out); ok {
		out.Ratio *= sequential.RateRatio([]sequential.Pair{end}) / sequential.RateRatio([]sequential.Pair{seen})
		seen = end
		lately = fmt.Sprintf("in the last %d looks ", looks)
	}
	s := &strings.Builder{}
	daily := ""
	if j.criteria.Before && j.criteria.Daily > 1 {
		daily = fmt.Sprintf(", %s times that at this time of the day before", humanize.PlainTo(j.criteria.Daily, 2))
	}
	fmt.Fprintf(s, "%sexposed %s vs %s %s%s: ", lately, ratio(seen.Exposed), j.criteria.other(), ratio(j.otherArm(seen)), daily)
	if j.nothingBad() {
		s.WriteString("nothing bad in either")
	} else {
		fmt.Fprintf(s, "%s times the usual%s, %s allowed",
			humanize.PlainTo(out.Ratio, 2), j.atLeast(out), humanize.PlainTo(j.criteria.allowed(), 3))
	}
	switch {
	case out.Verdict == Fail:
		s.WriteString(byChance(out.P) + j.byPast() + j.shared())
	case out.Shown:
		fmt.Fprintf(s, "; shown to be less than %s times worse", humanize.PlainTo(j.criteria.Enough, 3))
	default:
		fmt.Fprintf(s, "; no harm is established (p %s)", humanize.PlainTo(out.P, 2))
	}
	s.WriteString(j.method())
	return s.String()
}

// shared says that the control got much worse lately, too, since nothing before tells how unlike
// the arms take an incident that both share; or that it is the control alone that has changed.
func (j *Judge) shared() string {
	const much, same, telling = 2, 1.25, 20 // times as bad, of so many bad events
	usual := j.usual
	if j.criteria.Before || usual.Control.Bad < telling || usual.Exposed.Bad <= 0 {
		return ""
	}
	var lately sequential.Pair
	for i := len(j.trace) - 1; i >= 0 && lately.Control.Bad < telling; i-- {
		lately = lately.Plus(j.trace[i].Pair)
	}
	times := func(now, usual sequential.Counts) float64 {
		return now.Bad / max(1, now.Total) * usual.Total / usual.Bad
	}
	control, exposed := times(lately.Control, usual.Control), times(lately.Exposed, usual.Exposed)
	switch expected := lately.Control.Total * usual.Control.Bad / usual.Control.Total; {
	case control >= much && lately.Control.Bad >= telling:
		return fmt.Sprintf("; control has %s times its own usual, too: both may share an incident", humanize.PlainTo(control, 2))
	case much*control <= 1 && exposed <= same && expected >= telling:
		return fmt.Sprintf(
			"; the exposed targets are as before, it is control that has only %s times its own usual", humanize.PlainTo(control, 2),
		)
	}
	return ""
}

// atLeast says what an estimate is at least, where it is above what is allowed and no harm is
// established: below that, chance explains it.
func (j *Judge) atLeast(out Outcome) string {
	if out.Verdict == Fail || out.Ratio <= j.criteria.allowed() {
		return ""
	}
	return fmt.Sprintf(" (at least %s, the rest may be chance)", humanize.PlainTo(out.Least, 2))
}

// method says how it was judged, where that is not by plain likelihood.
func (j *Judge) method() string {
	d := j.test.Dispersion()
	switch {
	case j.pastLooks == 0:
		return " [partly by bets: nothing is known from before the change]"
	case !j.test.Bursts():
		return ""
	case d.Excess() && j.test.Span() > 1:
		return fmt.Sprintf(
			" [by bets every %d looks: errors come in bursts that last, %s times chance before the change]", j.test.Span(),
			humanize.PlainTo(d.Factor, 2),
		)
	case d.Excess():
		return fmt.Sprintf(" [by bets: errors come in bursts, %s times chance before the change]", humanize.PlainTo(d.Factor, 2))
	case d.Chance():
		return " [by bets: what was seen before the change does not rule bursts out]"
	}
	return " [by bets: too little was seen before the change to know whether errors come in bursts]"
}

// few words what is missing.
func (j *Judge) few(need float64) string {
	seen := j.test.Seen()
	if seen.Exposed.Total < need {
		return tooFew(seen.Exposed.Total, "events", exposed, need)
	}
	return tooFew(j.otherArm(seen).Total, "events", control, need)
}

// tooFew words how many of something an arm shows, and how many it must.
func tooFew(n float64, what string, arm int, need float64) string {
	where := [2]string{"on the exposed targets", "to compare with"}[arm]
	return fmt.Sprintf("%s %s %s, at least %s are needed", humanize.Integer(n), what, where, humanize.Integer(need))
}

// byChance words how rarely chance shows what is taken for harm.
func byChance(p float64) string {
	return fmt.Sprintf("; chance does this in less than %s of bakes", humanize.Percent(max(p, 1e-6)))
}

// byPast says how long a past that rests on, and how much of it was left out.
func (j *Judge) byPast() string {
	if j.past < time.Second {
		return ""
	}
	s := ", by " + long(j.past) + " of past"
	if n := j.test.Incident(); n > 0 {
		s += " without an incident in " + long(j.past*time.Duration(n)/time.Duration(max(n, j.pastLooks))) + " of it"
	}
	return s
}

// long words a duration, without a rest of minutes or seconds that is none: 6h0m0s is 6h.
func long(d time.Duration) string {
	if d >= time.Minute {
		return brief(d.Round(time.Minute))
	}
	return d.Round(time.Second).String()
}

// brief words a duration without minutes and seconds that are none: 10m0s is 10m.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// suspect words a p that is small and not small enough to be harm.
func suspect(p float64) string { return "p " + humanize.PlainTo(max(p, 1e-6), 2) }

// plural counts things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
