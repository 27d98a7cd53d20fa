package judge

import (
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// Criteria are what the exposed arm is judged by, against another.
type Criteria struct {
	// Worse is by how much its share of bad events may exceed the other arm's, as a part of it: 0.2
	// is 20%.
	Worse float64
	// Before compares with what the exposed arm itself showed before the change; the other arm is
	// left alone. It is the weaker comparison: what else changed with time counts, too.
	Before bool
	// Daily is how many times as large the share of bad events is at the time of day of the bake as
	// at that before the change, with Before; 1 or less changes nothing.
	Daily float64
	// Objective is the share of events that must not be bad, such as 0.999, and Burn how many times
	// faster than that allows bad events may come. There is no other arm then. 0 has none.
	Objective, Burn float64
	// Alpha is the rate of false alarms of the check, over all looks of the stage together.
	Alpha float64
	// Traffic is the same of its share of the requests; 0 does not judge that.
	Traffic float64
	// Every is the time between looks.
	Every time.Duration
	// Bake is how long it is watched, at most.
	Bake time.Duration
	// Hold is how much longer an estimate above what is allowed is watched, if chance hardly
	// explains it: see Judge.doubt.
	Hold time.Duration
	// Least is how long at least; used with Enough.
	Least time.Duration
	// Enough ends the bake early, once the exposed arm has shown to be less than so many times
	// worse, wrongly with probability Risk at most; 0 does not.
	Enough, Risk float64
	// MinSamples is how many events in total each arm must show before the check can pass.
	MinSamples float64
}

// need is how many events each arm must show.
func (c Criteria) need() float64 { return max(1, c.MinSamples) }

// other names what the exposed arm is compared with.
func (c Criteria) other() string {
	if c.Before {
		return "before the change"
	}
	return "control"
}

// measure names what Outcome.Ratio is in times of.
func (c Criteria) measure() string {
	if c.Objective > 0 {
		return "the limit"
	}
	return "the usual"
}

// onset is how much of the prior weight lies on a fault that is there from the first look: most
// are. The rest finds those that begin later.
const onset = 0.7

// question is the criteria as a sequential test is asked.
func (c Criteria) question() sequential.Question {
	return sequential.Question{Worse: c.Worse, Enough: c.Enough, Start: c.start(), Unlike: c.Before, Fixed: c.Objective > 0}
}

// limit is the share of bad events that an objective allows; 0 without one.
func (c Criteria) limit() float64 {
	if c.Objective <= 0 || c.Objective >= 1 {
		return 0
	}
	return (1 - c.Objective) * max(1, c.Burn)
}

// allowed is what Outcome.Ratio may be.
func (c Criteria) allowed() float64 {
	if c.Objective > 0 {
		return 1
	}
	return 1 + c.Worse
}

// start is when faults may begin.
func (c Criteria) start() sequential.Start {
	looks := 1
	if c.Every > 0 {
		looks = max(1, int(c.Bake/c.Every))
	}
	return sequential.Start{Looks: looks, First: onset}
}

// nats is the evidence at which the probability of being wrong is at most alpha.
func nats(alpha float64) float64 { return -math.Log(alpha) }

// trafficPart is the weight of the share of requests beside that of one check: a loss of it shows
// so plainly that little is enough.
const trafficPart = 0.02

// SplitRate splits a rate of false alarms between one check and the share of requests.
func SplitRate(rate float64) (check, traffic float64) {
	return rate / (1 + trafficPart), rate * trafficPart / (1 + trafficPart)
}

// hardly is how often chance shows, at most, what keeps a check from PASS for a while though no
// harm is established.
const hardly = 0.01

// doubted is how often chance shows, at most, what keeps a check from PASS at a moment. Once it was
// held for so long, only what would be harm if it were seen for the first time: healthy targets do
// not go back more often for that.
func (c Criteria) doubted(at time.Duration) float64 {
	if c.holds(at) {
		return max(hardly, c.Alpha)
	}
	return c.Alpha
}

// holds says that what is only suspicious may still be waited for.
func (c Criteria) holds(at time.Duration) bool { return at <= c.Bake+c.Hold }

// suspicious is the p from which on a check that has not failed is suspicious. As many bakes of
// healthy releases are so at some look, at most, since the p holds for all looks together.
const suspicious = 0.05
