package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
)

// Outcome is the verdict at a moment since the change. Harm once found stays. Ratio is the mean as
// a part of what is usual, and Samples is how many exposed targets it rests on. In the trace, a
// mean is Bad divided by Total.
func (j *MeansJudge) Outcome(at time.Duration) Outcome {
	out := Outcome{At: at, P: 1, Ratio: 1, Needed: nats(j.criteria.Alpha), Trace: slices.Clone(j.state.Trace)}
	targets := j.sample(j.state.Since).targets
	out.Samples = float64(targets[exposed])
	if f := j.state.Least; f != nil {
		out.P, out.LnE = f.P, -math.Log(max(f.P, 1e-300))
		if r := f.Exposed / f.Usual; r >= 0 && r < 1e6 {
			out.Ratio = r
		}
	}
	need := j.criteria.need()
	absent, why := j.state.absent(j.criteria.Criteria, at)
	few, arm := j.few(need)
	missing := j.missing(targets)
	switch {
	case !j.criteria.judges():
		out.Verdict, out.Evidence = NoData, "there is no drop or rise to judge by"
	case j.harm():
		out.Verdict, out.Evidence = Fail, j.words(*j.state.Least, Fail)
	case j.state.Absurd > 0:
		out.Verdict, out.Evidence = NoData, fmt.Sprintf(
			"%s of the numbers cannot be: infinite, or beyond 1e100", humanize.Integer(float64(j.state.Absurd)),
		)
	case absent != "":
		out.Verdict, out.Evidence = absent, why
	case few:
		out.Verdict = Unexercised
		out.Evidence = tooFew(float64(j.state.Used[arm]), "numbers", arm, need)
	case missing != "":
		out.Verdict, out.Evidence = Unexercised, missing
	case j.state.Least == nil && j.due(at) == 0:
		out.Verdict, out.Evidence = Unexercised, fmt.Sprintf("the first comparison is after %s", j.testTimes[0].Truncate(time.Second))
	case j.state.Least == nil || !j.tested(at):
		out.Verdict, out.Evidence = Unexercised, "the next look with numbers is compared"
	default:
		out.Verdict, out.Shown = Pass, j.state.Shown
		now := j.now()
		out.Evidence = j.words(now, Pass)
		if r := now.Exposed / now.Usual; r >= 0 && r < 1e6 {
			out.Ratio = r
		}
		least, doubted := j.least(out.Ratio, j.criteria.doubted(at))
		if out.Least = least; doubted {
			out.Verdict, out.Shown = Unexercised, false
			out.Evidence += "; more than is allowed, and chance hardly does this: more looks tell"
		}
	}
	if (out.Verdict == Pass || out.Verdict == Unexercised) && out.P <= suspicious {
		out.Suspicion = suspect(out.P)
	}
	return out
}

// harm says that it is established, which it stays.
func (j *MeansJudge) harm() bool {
	f := j.state.Least
	return f != nil && j.criteria.judges() && -math.Log(max(f.P, 1e-300)) >= nats(j.criteria.Alpha)
}

// least is what the mean is of what is usual, but for chance that is as rare as level: the nearest
// to what is allowed. It is doubted where that is not allowed either.
func (j *MeansJudge) least(ratio, level float64) (least float64, doubted bool) {
	s := j.sample(j.state.Since)
	for _, side := range []struct {
		part  float64
		above bool
	}{{j.criteria.Drop, false}, {j.criteria.Rise, true}} {
		allowed := s.allowed(side.part, side.above)
		if side.part < 0 || s.usual <= 0 || side.above != (ratio > allowed) || ratio == allowed {
			continue
		}
		if s.chance(allowed, side.above) <= level {
			return ratio, true
		}
		return allowed, false
	}
	return ratio, false
}

// few says that an arm has shown fewer numbers than are needed, and which.
func (j *MeansJudge) few(need float64) (few bool, arm int) {
	switch {
	case float64(j.state.Used[exposed]) < need:
		return true, exposed
	case !j.criteria.Before && float64(j.state.Used[control]) < need:
		return true, control
	}
	return false, 0
}

// now is what all of the bake shows by now, with the least P of all tests.
func (j *MeansJudge) now() Found {
	s := j.sample(j.state.Since)
	return Found{P: j.state.Least.P, Exposed: s.mean, Usual: s.usual, Targets: s.targets, Looks: j.state.Looks}
}

// words are the evidence of what was found.
func (j *MeansJudge) words(f Found, verdict Verdict) string {
	with := "of control"
	switch {
	case j.criteria.Before:
		with = "before the change"
	case j.paired:
		with = "by control and the time before"
	}
	lately := ""
	if f.Looks < j.state.Looks {
		lately = fmt.Sprintf("in %s ", plural(f.Looks, "look"))
	}
	mean, usual := humanize.Apart(humanize.PlainTo, 4, f.Exposed, f.Usual)
	text := fmt.Sprintf("%smean %s on %s vs %s %s", lately, mean, plural(f.Targets[exposed], "exposed target"), usual, with)
	if !j.criteria.Before {
		text += fmt.Sprintf(" (%s)", plural(f.Targets[control], "target"))
	}
	text += off(f)
	if j.criteria.Drop >= 0 {
		text += fmt.Sprintf(", drop of %s allowed", humanize.Percent(j.criteria.Drop))
	}
	if j.criteria.Rise >= 0 {
		text += fmt.Sprintf(", rise of %s allowed", humanize.Percent(j.criteria.Rise))
	}
	switch {
	case verdict == Fail:
		text += byChance(f.P)
	case j.state.Shown:
		text += fmt.Sprintf("; shown to be off by less than %s times", humanize.PlainTo(j.criteria.Enough, 3))
	default:
		text += fmt.Sprintf("; no harm is established (p %s)", humanize.PlainTo(f.P, 2))
	}
	if j.state.Left > 0 {
		text += fmt.Sprintf("; %s numbers were missing", humanize.Integer(float64(j.state.Left)))
	}
	return text
}

// off words how far the mean is from the usual.
func off(f Found) string {
	part := (f.Exposed - f.Usual) / math.Abs(f.Usual)
	switch {
	case math.IsNaN(part) || math.Abs(part) > 1e3:
		return ""
	case part < 0:
		return ": " + humanize.Percent(-part) + " lower"
	}
	return ": " + humanize.Percent(part) + " higher"
}
