package judge

import (
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// ShiftJudge judges a number look by look: whether its mean since the change has moved further from
// what is usual than it ever did by itself, and further than it may. It is for few targets, of
// which Means could never tell chance from harm: one look is one observation, and the past tells
// how alike those are. Compared with a control, the number is how many times the control's mean it
// is, and what a control target shows, too, is no harm.
//
// Means are compared over the spans of a PastShift. Alpha is split evenly among them, which holds
// whatever they have to do with each other. A span must show harm also without its furthest look,
// so that one wild number is no shift. Build it with NewShift. It is not safe for concurrent use.
type ShiftJudge struct {
	criteria ShiftCriteria
	step     time.Duration
	past     PastShift
	state    ShiftState
}

// ShiftState is what a ShiftJudge has seen, small enough for a heartbeat. Its zero value has seen
// nothing.
type ShiftState struct {
	armsSeen
	// Since is what was seen since the change, Lately since the newest span ended, at step Ended.
	Since  shiftSeen `json:"since,omitzero"`
	Lately shiftSeen `json:"lately,omitzero"`
	Ended  int       `json:"ended,omitempty"`
	// Tested is the step at which the newest span ended that had numbers enough to be compared.
	Tested int `json:"tested,omitempty"`
	// Least is what is least likely to be chance so far.
	Least *ShiftFound `json:"least,omitempty"`
	Trace Trace       `json:"trace,omitempty"`
}

// shiftSeen are running sums: of the number as it is compared, of the exposed targets' mean, and
// each control target's.
type shiftSeen struct {
	N       float64           `json:"n,omitempty"`
	Sum     float64           `json:"sum,omitempty"`
	Lowest  float64           `json:"lowest,omitempty"`
	Highest float64           `json:"highest,omitempty"`
	Exposed float64           `json:"exposed,omitempty"`
	Control sequential.Packed `json:"control,omitempty"`
}

// ShiftFound is what a comparison found.
type ShiftFound struct {
	// P is the probability that chance ever shows as much in any of the bake's comparisons.
	P float64 `json:"p"`
	// Exposed is the mean, Usual what it would be if nothing had changed, and Control what the
	// control target shows that is nearest to harm.
	Exposed float64 `json:"exposed"`
	Usual   float64 `json:"usual"`
	Control float64 `json:"control,omitempty"`
	Looks   int     `json:"looks"`
}

// NewShiftJudge readies a check with what is known of the time before the change.
func NewShiftJudge(c ShiftCriteria, step time.Duration, past PastShift) *ShiftJudge {
	return &ShiftJudge{criteria: c, step: max(1, step), past: past}
}

// mean is that of numbers that can be; none of none.
func mean(values []float64) float64 {
	n, sum := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) && usableNumber(v) {
			n, sum = n+1, sum+v
		}
	}
	return sum / n
}

// Shown is the number as it is compared: the mean of the exposed targets or, with a control, how
// many times the control's that is; none where an arm shows none.
func (c ShiftCriteria) Shown(l Numbers) float64 {
	if c.Before {
		return mean(l.Exposed)
	}
	if other := mean(l.Control); other > 0 {
		return mean(l.Exposed) / other
	}
	return math.NaN()
}

// See takes the next look.
func (j *ShiftJudge) See(l Numbers) {
	y, own := j.criteria.Shown(l), mean(l.Exposed)
	if !math.IsNaN(own) {
		j.state.Seen = l.At
	}
	step := int((l.At + j.criteria.Every/2) / j.step)
	if !math.IsNaN(y) {
		j.state.Any, j.state.Newest = true, l.At
		j.state.Since.add(y, own, l.Control)
		j.state.Lately.add(y, own, l.Control)
		j.draw(l)
	}
	for _, s := range j.past.Spans {
		if s.To <= j.state.Ended || s.To > step {
			continue
		}
		seen := j.state.Since
		if s.From > 0 {
			seen = j.state.Lately
		}
		if 2*seen.N*float64(j.criteria.Every) >= float64(s.length())*float64(j.step) {
			j.compare(s, seen)
		}
	}
	j.end(step)
}

// end begins the next span where one has ended.
func (j *ShiftJudge) end(step int) {
	for _, s := range j.past.Spans {
		if s.To <= step && s.To > j.state.Ended {
			j.state.Ended, j.state.Lately = s.To, shiftSeen{}
		}
	}
}

// allowed is what a mean may be.
func (s Span) allowed(part float64, above bool) float64 {
	if above {
		return s.Usual + part*math.Abs(s.Usual)
	}
	return s.Usual - part*math.Abs(s.Usual)
}

func (s *shiftSeen) add(y, own float64, control []float64) {
	if s.N == 0 {
		s.Lowest, s.Highest = y, y
	}
	s.Lowest, s.Highest = min(s.Lowest, y), max(s.Highest, y)
	s.N, s.Sum, s.Exposed = s.N+1, s.Sum+y, s.Exposed+own
	of := unpacked(s.Control)
	of.add(control)
	s.Control = of.pack()
}

// compare compares the mean of a span that has ended.
func (j *ShiftJudge) compare(s Span, seen shiftSeen) {
	if s.Freedom < leastCases {
		return
	}
	j.state.Tested = max(j.state.Tested, s.To)
	for side, part := range []float64{j.criteria.Drop, j.criteria.Rise} {
		if part < 0 {
			continue
		}
		above := side == 1
		f := seen.found(s)
		if f.P = 1; j.criteria.Before || seen.apart(&f, part, above) {
			f.P = min(1, j.tests()*seen.chance(s, part, above))
		}
		if j.state.Least == nil || f.P < j.state.Least.P {
			j.state.Least = &f
		}
	}
}

// chance is how likely it is that a mean is so far off by itself, with its furthest look or without
// it.
func (s shiftSeen) chance(of Span, part float64, above bool) float64 {
	furthest := s.Lowest
	if above {
		furthest = s.Highest
	}
	allowed := of.allowed(part, above)
	return max(of.chance(s.Sum/s.N, allowed, above), of.chance((s.Sum-furthest)/max(1, s.N-1), allowed, above))
}

// found words the means of a span in the number's own unit.
func (s shiftSeen) found(of Span) ShiftFound {
	f := ShiftFound{Exposed: s.Exposed / s.N, Looks: int(s.N)}
	f.Usual = of.Usual / (s.Sum / s.N) * f.Exposed
	if s.Sum == 0 {
		f.Usual = of.Usual
		if other := unpacked(s.Control).means(); len(other) > 0 {
			f.Usual *= mean(other)
		}
	}
	return f
}

// apart says that the exposed targets are further off than any control target by more than is
// allowed.
func (s shiftSeen) apart(f *ShiftFound, part float64, above bool) bool {
	others := unpacked(s.Control).means()
	if len(others) == 0 {
		return false
	}
	if above {
		f.Control = slices.Max(others)
		return f.Exposed > (1+part)*f.Control
	}
	f.Control = slices.Min(others)
	return f.Exposed < (1-part)*f.Control
}

// tests is among how many alpha is split.
func (j *ShiftJudge) tests() float64 {
	sides := MeansCriteria{Drop: j.criteria.Drop, Rise: j.criteria.Rise}.sides()
	return float64(max(1, sides) * max(1, len(j.past.Spans)))
}

// draw adds a look to the trace, in which a mean is Bad divided by Total.
func (j *ShiftJudge) draw(l Numbers) {
	p := sequential.Pair{Exposed: sequential.Counts{Bad: mean(l.Exposed), Total: 1}}
	switch other := mean(l.Control); {
	case !j.criteria.Before:
		p.Control = sequential.Counts{Bad: other, Total: 1}
	case len(j.past.Spans) > 0:
		p.Control = sequential.Counts{Bad: j.past.Spans[0].Usual, Total: 1}
	}
	j.state.Trace = slices.Clone(j.state.Trace).add(p)
}

// State is what was seen so far.
func (j *ShiftJudge) State() ShiftState {
	s := j.state
	s.Trace = slices.Clone(s.Trace)
	return s
}

// Restore goes on from the state of a ShiftJudge by the same criteria and past. It answers whether
// it can be one; if not, nothing changes.
func (j *ShiftJudge) Restore(s ShiftState) bool {
	for _, seen := range []shiftSeen{s.Since, s.Lately} {
		if len(seen.Control)%2 != 0 || len(seen.Control) > 2*MostTargets {
			return false
		}
	}
	j.state = s
	j.state.Trace = slices.Clone(s.Trace)
	return true
}
