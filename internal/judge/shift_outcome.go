package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
)

// Outcome is the verdict at a moment since the change. Harm once found stays. Ratio is the mean as
// a part of what is usual, and Samples is on how many looks it rests. In the trace, a mean is Bad
// divided by Total.
func (j *ShiftJudge) Outcome(at time.Duration) Outcome {
	out := Outcome{
		At: at, P: 1, Ratio: 1, Least: 1, Needed: nats(j.criteria.Alpha),
		Samples: j.state.Since.N, Trace: slices.Clone(j.state.Trace),
	}
	f := j.state.Least
	if f != nil {
		out.P, out.LnE = f.P, -math.Log(max(f.P, 1e-300))
		if r := f.Exposed / f.Usual; r >= 0 && r < 1e6 {
			out.Ratio, out.Least = r, r
		}
	}
	absent, why := j.state.absent(j.criteria.Criteria, at)
	newest, ended := j.newest(at)
	switch {
	case j.criteria.Drop < 0 && j.criteria.Rise < 0:
		out.Verdict, out.Evidence = NoData, "there is no drop or rise to judge by"
	case f != nil && out.LnE >= out.Needed:
		out.Verdict, out.Evidence = Fail, j.words(*f, Fail)
	case absent != "":
		out.Verdict, out.Evidence = absent, why
	case !j.known():
		out.Verdict, out.Evidence = Unexercised, fmt.Sprintf(
			"%s of the time before the change showed the number, too little to tell how far it goes by itself", plural(j.past.Looks, "look"))
	case !ended:
		out.Verdict, out.Evidence = Unexercised, "nothing was compared yet"
	case j.state.Tested < newest.To:
		out.Verdict, out.Evidence = Unexercised, fmt.Sprintf(
			"the number was seen in %s, too few to compare", plural(int(j.state.Since.N), "look"))
	default:
		out.Verdict = Pass
		now := j.state.Since.found(newest)
		now.P = out.P
		if r := now.Exposed / now.Usual; r >= 0 && r < 1e6 {
			out.Ratio, out.Least = r, r
		}
		out.Evidence = j.words(now, Pass)
		if j.doubted(newest, at) {
			out.Verdict = Unexercised
			out.Evidence += "; more than is allowed, and chance hardly does this: more looks tell"
		}
	}
	if (out.Verdict == Pass || out.Verdict == Unexercised) && out.P <= suspicious {
		out.Suspicion = suspect(out.P)
	}
	return out
}

// known says that the past tells what is usual of some span.
func (j *ShiftJudge) known() bool {
	return slices.ContainsFunc(j.past.Spans, func(s Span) bool { return s.Freedom >= leastCases })
}

// newest is the longest span since the change that has ended by a moment, if one has of which the
// past tells something.
func (j *ShiftJudge) newest(at time.Duration) (newest Span, ended bool) {
	for _, s := range j.past.Spans {
		if s.From == 0 && time.Duration(s.To)*j.step <= at+j.criteria.Every/2 && s.Freedom >= leastCases {
			newest, ended = s, true
		}
	}
	return newest, ended
}

// doubted says that what was seen since the change is off by more than it may, and that chance
// hardly shows it.
func (j *ShiftJudge) doubted(s Span, at time.Duration) bool {
	seen := j.state.Since
	for side, part := range []float64{j.criteria.Drop, j.criteria.Rise} {
		above := side == 1
		if part < 0 || !j.criteria.Before && !seen.apart(new(ShiftFound), part, above) {
			continue
		}
		if seen.chance(s, part, above) <= j.criteria.doubted(at) {
			return true
		}
	}
	return false
}

// words are the evidence of what was found.
func (j *ShiftJudge) words(f ShiftFound, verdict Verdict) string {
	with := "by control and the time before"
	if j.criteria.Before {
		with = "by the time before"
	}
	exposed, usual := humanize.Apart(humanize.PlainTo, 4, f.Exposed, f.Usual)
	text := fmt.Sprintf("mean %s over %s vs %s %s", exposed, plural(f.Looks, "look"), usual, with) +
		off(Found{Exposed: f.Exposed, Usual: f.Usual})
	if verdict == Fail && !j.criteria.Before {
		text += fmt.Sprintf(" (the nearest control target %s)", humanize.PlainTo(f.Control, 4))
	}
	if j.criteria.Drop >= 0 {
		text += fmt.Sprintf(", drop of %s allowed", humanize.Percent(j.criteria.Drop))
	}
	if j.criteria.Rise >= 0 {
		text += fmt.Sprintf(", rise of %s allowed", humanize.Percent(j.criteria.Rise))
	}
	if verdict == Fail {
		return text + byChance(f.P)
	}
	return text + fmt.Sprintf("; no harm is established (p %s)", humanize.PlainTo(f.P, 2))
}
