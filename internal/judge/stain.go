package judge

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// stain is an incident before the change. All errors that came in bursts came in it, so that
// counted as usual it would excuse real harm. Its zero value is none.
type stain struct {
	sequential.Stain
	// rest is the test by the past without it, before any look since the change; nil without one.
	rest *sequential.TwoArms
	// began and ended are how long before the change that was.
	began, ended time.Duration
}

func newStain(c Criteria, before []ArmCounts) stain {
	var s stain
	if s.rest, s.Stain = sequential.WithoutStain(c.question(), pairs(before)); s.rest == nil {
		return stain{}
	}
	var ends []time.Duration // of the looks that are pairs
	for _, l := range before {
		if _, ok := l.pair(); ok {
			ends = append(ends, l.At)
		}
	}
	s.ended, s.began = -ends[s.To-1], -ends[max(0, s.From-1)]
	return s
}

// far is how many times what is allowed is far more than that: what a stain hides.
const far = 1.5

// hidden is how many times the usual the exposed arm is by a past without its stain, where that is
// the only reason why it is no harm; else 0. It is, where chance shows that as rarely as FAIL, and
// one more such incident does not explain it: far too much is left without its worst looks.
func (j *Judge) hidden() float64 {
	rest := j.stain.rest
	if rest == nil {
		return 0
	}
	limit, whole := j.criteria.allowed(), j.test.Fairly(j.test.Seen())
	times := rest.Times(whole)
	if times < far*limit || rest.Refutes(whole, limit, high(rest.Dispersion())) < nats(min(1, bounds*j.criteria.Alpha)) {
		return 0
	}
	for _, seen := range j.trace.without(j.stain.looks(j.criteria.Every)) {
		if rest.Times(j.test.Fairly(seen)) < far*limit {
			return 0
		}
	}
	return times
}

// looks is how many looks since the change are as long as the incident was.
func (s stain) looks(every time.Duration) int {
	if every <= 0 {
		return s.To - s.From
	}
	return int((s.began - s.ended + every - 1) / every)
}

// words say when the incident was, and what it hides.
func (s stain) words(c Criteria, hidden float64) string {
	where, much, when := "the exposed targets", s.Ratio, "up to the change"
	if much < 1 {
		where, much = c.other(), 1/much
	}
	if s.ended > 0 {
		when = "to " + long(s.ended) + " before the change"
	}
	return fmt.Sprintf(
		"; an incident of %s from %s %s (%s times the usual) is the only reason why this is not harm: without it, this is %s times %s",
		where, long(s.began), when, humanize.PlainTo(much, 2), humanize.PlainTo(hidden, 2), c.measure(),
	)
}
