package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/numeral"
)

// Outcome is the verdict at a moment since the change. Harm once found stays. Ratio is
// the mean as a part of what is usual, and Samples is how many exposed targets it rests
// on. In the trace, a mean is Bad divided by Total.
func (j *Means) Outcome(at time.Duration) Outcome {
	out := Outcome{At: at, P: 1, Ratio: 1, Needed: nats(j.criteria.Alpha), Trace: slices.Clone(j.state.Trace)}
	targets := j.sample(j.state.Since).targets
	out.Samples = float64(targets[exposed])
	if f := j.state.Least; f != nil {
		out.P, out.LnE = f.P, -math.Log(max(f.P, 1e-300))
		if r := f.Exposed / f.Usual; r >= 0 && r < 1e6 {
			out.Ratio = r
		}
	}
	other := "control"
	if j.criteria.Before {
		other = "before the change"
	}
	need := max(1, j.criteria.MinSamples)
	late := at - j.state.Newest
	few, arm := j.few(need)
	missing := j.missing(targets)
	switch {
	case !j.criteria.judges():
		out.Verdict, out.Evidence = NoData, "there is no drop or rise to judge by"
	case j.state.Least != nil && out.LnE >= out.Needed:
		out.Verdict, out.Evidence = Fail, j.words(*j.state.Least, Fail)
	case !j.state.Any && j.state.Seen > 0:
		out.Verdict, out.Evidence = NoData, "nothing to compare with: "+other+" was not seen"
	case !j.state.Any:
		out.Verdict, out.Evidence = NoData, "nothing was seen since the change"
	case j.criteria.Every > 0 && late > staleAfter*j.criteria.Every:
		out.Verdict, out.Evidence = Stale, "exposed targets and "+other+" were last seen "+late.String()+" ago"
	case few:
		out.Verdict = Unexercised
		out.Evidence = fmt.Sprintf("%s numbers %s, at least %s are needed", numeral.Integer(float64(j.state.Used[arm])), []string{"on the exposed targets", "to compare with"}[arm], numeral.Integer(need))
	case missing != "":
		out.Verdict, out.Evidence = Unexercised, missing
	case j.state.Least == nil:
		out.Verdict, out.Evidence = Unexercised, fmt.Sprintf("the first comparison is after %s", plural(j.moments[0], "look"))
	default:
		out.Verdict, out.Shown = Pass, j.state.Shown
		out.Evidence = j.words(j.now(), Pass)
	}
	return out
}

// few says that an arm has shown fewer numbers than are needed, and which.
func (j *Means) few(need float64) (few bool, arm int) {
	switch {
	case float64(j.state.Used[exposed]) < need:
		return true, exposed
	case !j.criteria.Before && float64(j.state.Used[control]) < need:
		return true, control
	}
	return false, 0
}

// now is what all of the bake shows by now, with the least P of all tests.
func (j *Means) now() Found {
	s := j.sample(j.state.Since)
	return Found{P: j.state.Least.P, Exposed: s.mean, Usual: s.usual, Targets: s.targets, Looks: j.state.Looks}
}
