package judge

import (
	"fmt"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
)

// Outcome is the verdict at a moment since the change. Harm once found stays. Ratio is
// how many times as many values are beyond the bound that the evidence names, and
// Samples is how many values of the exposed arm it rests on. There is no trace.
func (j *Distribution) Outcome(at time.Duration) Outcome {
	out := Outcome{At: at, P: 1, Ratio: 1, Needed: nats(j.criteria.Alpha), Samples: j.state.Totals[exposed]}
	need := j.criteria.need()
	absent, why := j.state.absent(j.criteria, at)
	switch {
	case j.state.Found != nil:
		f := *j.state.Found
		out.Verdict, out.P, out.LnE, out.Ratio = Fail, f.P, max(out.Needed, -math.Log(f.P)), f.ratio()
		out.Evidence = "slower at " + j.words(f) + byChance(f.P)
	case j.state.Differ != "":
		out.Verdict, out.Evidence = NoData, j.state.Differ
	case absent != "":
		out.Verdict, out.Evidence = absent, why
	case j.state.Totals[exposed] < need:
		out.Verdict = Unexercised
		out.Evidence = tooFew(out.Samples, "requests", exposed, need)
	case j.state.Totals[control] < need:
		out.Verdict = Unexercised
		out.Evidence = tooFew(j.state.Totals[control], "requests", control, need)
	case j.state.Sum.Weight <= 0:
		out.Verdict, out.Evidence = Unexercised, "there was no look in which both arms had requests"
	default:
		s := j.widest()
		out.Verdict, out.Ratio = Pass, s.ratio()
		out.Evidence = "slower at no bound, nearest to it at " + j.words(s)
	}
	if j.state.Any && (out.Verdict == Pass || out.Verdict == Fail) {
		out.Evidence += j.method()
	}
	return out
}

// ratio is how many times as many values are beyond the bound; 1 where none are.
func (s Slower) ratio() float64 {
	if r := (1 - s.Exposed) / (1 - s.Other); r >= 0 && r < 1e6 {
		return r
	}
	return 1
}

// widest is the bound at which the exposed arm comes nearest to being slower.
func (j *Distribution) widest() Slower {
	best, most := 0, math.Inf(-1)
	for i := range j.state.Bounds {
		gap := j.state.Sum.gap(i)
		if j.allowed != nil {
			gap -= j.allowed[i]
		}
		if gap > most {
			best, most = i, gap
		}
	}
	return j.at(best)
}

// method says what else weighs.
func (j *Distribution) method() string {
	f := humanize.PlainTo(j.bursts(), 2)
	switch {
	case j.bursts() <= 1:
		return ""
	case j.known:
		return fmt.Sprintf(" [values come in bursts, %s count as one]", f)
	}
	return fmt.Sprintf(" [too little was seen before the change to know whether values come in bursts: %s count as one]", f)
}

// words are the evidence at a bound.
func (j *Distribution) words(s Slower) string {
	other := "control's"
	if j.criteria.Before {
		other = "those before the change"
	}
	e, c := humanize.Apart(humanize.PercentTo, 2, s.Exposed, s.Other)
	text := fmt.Sprintf("%s: %s of exposed requests within it, %s of %s (band %s)", bound(s.Bound), e, c, other, humanize.Percent(s.Band))
	if s.Allowed > 0 {
		text += fmt.Sprintf(", up to %s fewer before the change", humanize.Percent(s.Allowed))
	}
	return text
}
