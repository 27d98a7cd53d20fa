package judge

import (
	"fmt"
	"math"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// objective judges the exposed arm alone, against Criteria.Objective and Criteria.Burn: whether its
// share of bad events is above what they allow. The test is that of a comparison, in which the
// other arm is the limit; it finds bursts late in a bake, too, since a fault may begin at any look.
// Beside it there is a confidence sequence for the share itself, widened by how much more than
// chance the bad events of looks differ. Build it with newObjective. It is not safe for concurrent
// use.
type objective struct{ *Judge }

// newObjective readies a check with the looks before the change, which tell whether errors come in
// bursts; none, where nothing is known of then.
func newObjective(c Criteria, before []ArmCounts) objective {
	c.Before = false
	o := objective{newComparison(c, before)}
	o.Judge.shown, o.Judge.words, o.Judge.least = o.shown, o.words, o.least
	if limit := c.limit(); !(limit > 0 && limit < 1-1e-9) {
		o.futile = "there is no objective that can be missed"
	}
	return o
}

// interval is where the share of bad events lies, over all looks together wrongly with probability
// alpha at most; 0 and 1 where nothing is known.
func (o objective) interval(alpha float64) (low, high float64) {
	seen, size := o.events()
	return sequential.Ratio(seen.Bad, seen.Total, alpha, max(1, max(100, o.criteria.MinSamples)/size))
}

// shownInterval is how often the interval in the evidence is wrong, at most.
const shownInterval = 0.05

// least is the low end of the interval of the share, in times of the limit.
func (o objective) least(float64) float64 {
	low, _ := o.interval(shownInterval)
	return low / o.criteria.limit()
}

// shown says that the share is shown to be less than Criteria.Enough times the limit.
func (o objective) shown() bool {
	c := o.criteria
	if c.Enough <= 1 || !(c.Risk > 0) {
		return false
	}
	_, high := o.interval(c.Risk)
	return high < c.Enough*c.limit()
}

// events are how many events of their own there were, and of how many each stands: those of a burst
// are one, as far as is known from before the change and since.
func (o objective) events() (seen sequential.Counts, size float64) {
	size = o.burst()
	seen = o.test.Seen().Exposed
	return sequential.Counts{Bad: min(seen.Bad, seen.Total) / size, Total: seen.Total / size}, size
}

// words are the evidence.
func (o objective) words(out Outcome) string {
	c, seen := o.criteria, o.test.Seen().Exposed
	where, between := "", ""
	if end, looks, ok := o.lately(out); ok {
		where, seen = fmt.Sprintf("in the last %d looks ", looks), end.Exposed
	} else if low, high := o.interval(shownInterval); low > 0 || high < 1 {
		between = fmt.Sprintf(", between %s and %s", humanize.Percent(low), humanize.Percent(high))
	}
	share := min(1, seen.Bad/max(seen.Total, 1e-9))
	digits := 2 + int(math.Floor(-math.Log10(max(share, 1e-9)))) // as many nines as there are, and two more
	text := fmt.Sprintf(
		"%s%s good (bad %s/%s%s), objective %s, budget burns %s times as fast as allowed (limit %s)", where,
		humanize.PercentTo(1-share, max(3, digits)), humanize.Integer(seen.Bad), humanize.Integer(seen.Total), between,
		humanize.PercentTo(c.Objective, 6), humanize.PlainTo(share/(1-c.Objective), 2), humanize.PlainTo(max(1, c.Burn), 3),
	)
	switch {
	case out.Verdict == Fail:
		text += byChance(out.P) + o.byPast()
	case out.Shown:
		text += fmt.Sprintf("; shown to be less than %s times the limit", humanize.PlainTo(c.Enough, 3))
	default:
		text += fmt.Sprintf("; no harm is established (p %s)", humanize.PlainTo(out.P, 2))
	}
	return text + o.method()
}
