// Package judge answers whether a change does harm, from what was counted before and
// since: a verdict with its evidence in words. It may be asked after every look, and
// keeps its rate of false alarms over all of them. It is pure: it knows no clock, no
// network, no source of numbers and nothing of Temporal.
package judge

import "time"

// Judge judges bad events out of all, look by look: two arms, or one and an objective.
// It is not safe for concurrent use.
type Judge interface {
	// See takes the next look: the arms as a whole, or each of the strata in which they
	// are compared, all at the same moment.
	See(strata ...Look)
	// Outcome is the verdict at a moment since the change.
	Outcome(at time.Duration) Outcome
	// State is what was seen so far.
	State() ComparisonState
	// Restore goes on from the state of a judge by the same criteria, with the same
	// looks before the change. It answers whether it was one; if not, nothing changes.
	Restore(s ComparisonState) bool

	// outcome is Outcome; words can be spared.
	outcome(at time.Duration, worded bool) Outcome
}

// New readies the judge that criteria ask for, with the looks before the change; none,
// where nothing is known of then.
func New(c Criteria, before []Look) Judge {
	if c.Objective > 0 {
		return newObjective(c, before)
	}
	return newComparison(c, before)
}
