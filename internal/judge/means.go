package judge

import (
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// MeansCriteria are what the mean of a number is judged by, against another arm's. Criteria.Worse,
// Objective, Burn and Traffic mean nothing here; MinSamples counts one number for each target and
// look.
type MeansCriteria struct {
	Criteria
	// Drop and Rise are by how much the mean may be below and above the other arm's, as a part of
	// it; below 0 that side is not judged. Drop is less than 1.
	Drop, Rise float64
}

// MeansJudge judges a number that every target shows: whether its mean over the exposed targets is
// lower or higher than it may be, compared with the control's, or with the same targets before the
// change. Build it with NewMeans. It is not safe for concurrent use.
//
// Numbers that one target shows in look after look are alike, so what counts as one observation is
// a target's average, and looks add none. Where targets were seen before the change, each is
// compared with itself. Averages are compared at a few moments of the bake, and after it while no
// verdict is had, over all of it and over the time since the moment before, which finds what begins
// late; a moment without numbers waits for some. Alpha is split evenly among these tests, which
// holds whatever they have to do with each other. Each must be passed both by the means, in Welch's
// test, and by the ranks, in that of Mann and Whitney (of one arm: Student's and Wilcoxon's), since
// few targets with skewed numbers deceive the first.
type MeansJudge struct {
	criteria  MeansCriteria
	testTimes []time.Duration // since the change, at which a test is made
	before    [2]averages
	paired    bool
	past      bool // something was seen before the change
	state     MeansState
}

// Found is what a test of means found.
type Found struct {
	// P is the probability that chance ever shows as much in any of the bake's tests.
	P float64 `json:"p"`
	// Exposed is the mean, Usual what it would be if nothing had changed.
	Exposed float64 `json:"exposed"`
	Usual   float64 `json:"usual"`
	// Targets of each arm, and the last looks that it rests on.
	Targets [2]int `json:"targets"`
	Looks   int    `json:"looks"`
}

// MeansState is what a MeansJudge has seen, small enough for a heartbeat. Its zero value has seen
// nothing.
type MeansState struct {
	Looks int `json:"looks,omitempty"`
	armsSeen
	// Done is how many tests were made, and Span how many looks there were since.
	Done int `json:"done,omitempty"`
	Span int `json:"span,omitempty"`
	// Left is how many numbers were none, Absurd how many cannot be, Used how many each arm had.
	Left   int    `json:"left,omitempty"`
	Absurd int    `json:"absurd,omitempty"`
	Used   [2]int `json:"used,omitzero"`
	// Since are all averages, Lately those since the test before.
	Since  [2]sequential.Packed `json:"since,omitzero"`
	Lately [2]sequential.Packed `json:"lately,omitzero"`
	// Least is the largest P that a test may have found so far.
	Least *Found `json:"least,omitempty"`
	Shown bool   `json:"shown,omitempty"`
	Trace Trace  `json:"trace,omitempty"`
}

// NewMeansJudge readies a check with the looks before the change; none, where nothing is known of
// then.
func NewMeansJudge(c MeansCriteria, before []Numbers) *MeansJudge {
	j := &MeansJudge{criteria: c, testTimes: checkpoints(c.Bake, c.Every)}
	for _, l := range before {
		j.before[exposed].add(l.Exposed)
		j.before[control].add(l.Control)
	}
	seen := [2]int{len(j.before[exposed].means()), len(j.before[control].means())}
	j.past = seen[exposed] > 0
	j.paired = c.Before || j.missing(seen) == ""
	return j
}

const (
	// apace is how many times as long as the test before the next takes.
	apace = 1.5
	// later is how many tests there are after the bake.
	later = 2
	// leastLooks is on how many looks a test rests, at least: numbers of fewer are often alike,
	// such as zero.
	leastLooks = 4
)

// checkpoints are when tests are made: at the end of the bake, ever earlier before, and after it,
// as long as somebody still looks.
func checkpoints(bake, every time.Duration) []time.Duration {
	out := []time.Duration{bake}
	for at := float64(bake) / apace; at >= float64(leastLooks*every) && at >= 1 && every > 0; at /= apace {
		out = append(out, time.Duration(at))
	}
	slices.Reverse(out)
	for range later {
		out = append(out, time.Duration(apace*float64(out[len(out)-1])))
	}
	return out
}

// due is how many tests are to be made up to a moment. Looks may come a little early.
func (j *MeansJudge) due(at time.Duration) int {
	n := 0
	for n < len(j.testTimes) && j.testTimes[n] <= at+j.criteria.Every/2 {
		n++
	}
	return n
}

// tested says that the test at the end of the bake was made, if that has come.
func (j *MeansJudge) tested(at time.Duration) bool {
	return j.state.Done >= min(j.due(at), len(j.testTimes)-later)
}

// sides is how many of drop and rise are judged.
func (c MeansCriteria) sides() int {
	n := 0
	for _, v := range []float64{c.Drop, c.Rise} {
		if v >= 0 {
			n++
		}
	}
	return n
}

// judges says that there is something to judge by.
func (c MeansCriteria) judges() bool {
	return c.sides() > 0 && c.Drop < 1 && c.Rise < 1e6 && !math.IsNaN(c.Drop) && !math.IsNaN(c.Rise)
}

// tests is among how many alpha is split.
func (j *MeansJudge) tests() float64 {
	return float64(2 * max(1, j.criteria.sides()) * len(j.testTimes))
}

// See takes the next look.
func (j *MeansJudge) See(l Numbers) {
	j.state.Looks++
	j.state.Span++
	numbers := [2][]float64{l.Exposed, l.Control}
	if j.criteria.Before {
		numbers[control] = nil
	}
	var used [2]int
	for arm := range numbers {
		since, lately := unpacked(j.state.Since[arm]), unpacked(j.state.Lately[arm])
		u, left, absurd := since.add(numbers[arm])
		lately.add(numbers[arm])
		used[arm] = u
		j.state.Used[arm] += u
		j.state.Left += left
		j.state.Absurd += absurd
		j.state.Since[arm], j.state.Lately[arm] = since.pack(), lately.pack()
	}
	if used[exposed] > 0 {
		j.state.Seen = l.At
		if j.criteria.Before && j.past || used[control] > 0 {
			j.state.Any, j.state.Newest = true, l.At
			j.draw(numbers)
			j.compare(l.At)
		}
	}
}

// compare makes the test of a moment that has come.
func (j *MeansJudge) compare(at time.Duration) {
	due := j.due(at)
	if due <= j.state.Done || !j.criteria.judges() || j.missing(j.sample(j.state.Since).targets) != "" {
		return
	}
	j.test(j.state.Since, j.state.Looks)
	if j.state.Span >= leastLooks {
		j.test(j.state.Lately, j.state.Span)
	}
	j.show()
	j.state.Done, j.state.Span, j.state.Lately = due, 0, [2]sequential.Packed{}
}

// draw adds a look to the trace, in which a mean is Bad divided by Total.
func (j *MeansJudge) draw(numbers [2][]float64) {
	var arms [2]sequential.Counts
	for arm, values := range numbers {
		m := summarize(values)
		if arm == control && j.criteria.Before {
			m = summarize(j.before[exposed].means())
		}
		arms[arm] = sequential.Counts{Bad: m.Mean * m.N, Total: m.N}
	}
	j.state.Trace = slices.Clone(j.state.Trace).add(sequential.Pair{Exposed: arms[exposed], Control: arms[control]})
}

// test compares averages, and keeps what it finds if that is the most so far.
func (j *MeansJudge) test(packed [2]sequential.Packed, looks int) {
	s := j.sample(packed)
	for _, above := range []bool{false, true} {
		part := j.criteria.Drop
		if above {
			part = j.criteria.Rise
		}
		if part < 0 {
			continue
		}
		f := Found{Exposed: s.mean, Usual: s.usual, Targets: s.targets, Looks: looks}
		f.P = min(1, j.tests()*s.chance(s.allowed(part, above), above))
		if j.state.Least == nil || f.P < j.state.Least.P {
			j.state.Least = &f
		}
	}
}

// show tests whether the mean is shown not to be too far off, at Criteria.Risk.
func (j *MeansJudge) show() {
	c := j.criteria
	if j.state.Shown || c.Enough <= 1 || !(c.Risk > 0) {
		return
	}
	s := j.sample(j.state.Since)
	level := c.Risk / float64(len(j.testTimes))
	j.state.Shown = s.usual > 0 &&
		(c.Drop < 0 || s.chance((1-c.Drop)/c.Enough, true) <= level) &&
		(c.Rise < 0 || s.chance((1+c.Rise)*c.Enough, false) <= level)
}

// State is what was seen so far.
func (j *MeansJudge) State() MeansState {
	s := j.state
	s.Trace = slices.Clone(s.Trace)
	return s
}

// Restore goes on from the state of a MeansJudge by the same criteria, with the same looks before
// the change. It answers whether it can be one; if not, nothing changes.
func (j *MeansJudge) Restore(s MeansState) bool {
	for arm := range s.Since {
		if n := len(s.Since[arm]); n%2 != 0 || n > 2*MostTargets || len(s.Lately[arm])%2 != 0 || len(s.Lately[arm]) > n {
			return false
		}
	}
	j.state = s
	j.state.Trace = slices.Clone(s.Trace)
	return true
}
