package judge

import (
	"math"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// bounds is how many times as often as it happens the bound of TwoArms.Least has something happen,
// at least, where that is rare.
const bounds = 5

// doubt is why an outcome without harm is no PASS: what is seen is more than is allowed, and chance
// hardly explains it, or does so only if errors come in bursts, of which nothing is known. It is
// empty where nothing is doubted. Of what an incident before the change hides it is told how many
// times the usual it is, or 0.
func (j *Judge) doubt(out Outcome, hidden float64) string {
	switch holds := j.criteria.holds(out.At); {
	case hidden > 0:
		return j.stain.words(j.criteria, hidden)
	case j.ignorance(out.Needed) && j.pastLooks > 0: // how the arms compared before stays as little known, however long this goes on
		return "; this is harm unless it was so before, or errors come in bursts, and " + long(j.past) +
			" of past are too short to tell: a longer past tells, more looks may not"
	case j.ignorance(out.Needed):
		return "; this is harm unless it was so before, or errors come in bursts, and nothing is known of its past: more looks tell"
	case out.Least > j.criteria.allowed(), holds && out.LnE >= nats(suspicious):
		return "; more than is allowed, and chance hardly does this: more looks tell"
	}
	return ""
}

// telling is how many looks tell at least whether errors come in bursts, where they have to.
const telling = 20

// ignorance says that what was seen is harm if the arms were alike before, and that the time before
// the change does not tell whether they were: as many events count as one as come together since
// the change, once there were looks enough to tell.
func (j *Judge) ignorance(evidence float64) bool {
	if j.test.Dispersion().Known() || j.test.Span() > 1 {
		return false
	}
	size := 1.0
	if since := j.test.Since(); j.test.Looks() >= telling && since.Known() {
		size = high(since)
	}
	naive := j.test.Naive()
	if j.criteria.Before { // the time before is an arm, too
		usual := j.selfBaseline.Counts
		usual.Bad = min(usual.Total, usual.Bad*j.selfBaseline.daily)
		naive = sequential.Likelier(sequential.Pair{Exposed: j.test.Seen().Exposed, Control: usual}, j.criteria.allowed())
	}
	return naive >= size*evidence
}

// burst is how many events count as one, since they come together: as far as is known from before
// the change and since.
func (j *Judge) burst() float64 {
	before, since := j.test.Dispersion(), j.test.Since()
	size := max(sequential.UsualBurst, high(before))
	switch {
	case before.Known():
		size = high(before)
	case since.Known():
		size = high(since)
	}
	if since.Excess() {
		size = max(size, high(since))
	}
	return size
}

// high is how large a dispersion may well be: 1 where chance explains all of it.
func high(d sequential.Dispersion) float64 {
	if d.Chance() {
		return 1
	}
	return d.High()
}

// suspicion is why an outcome without harm is suspicious; empty if it is not. Where nothing is
// known of bursts, the evidence of independent events counts from half of what FAIL takes.
func (j *Judge) suspicion(out Outcome, hidden float64) string {
	switch {
	case hidden > 0:
		return humanize.PlainTo(hidden, 2) + " times " + j.criteria.measure() + " but for an incident before"
	case out.LnE >= nats(suspicious):
		return suspect(out.P)
	case j.ignorance(out.Needed / 2):
		return suspect(math.Exp(-j.test.Independent())) + " unless errors come in bursts"
	case out.Least > j.criteria.allowed():
		return "at least " + humanize.PlainTo(out.Least, 2) + " times the usual"
	}
	return ""
}
