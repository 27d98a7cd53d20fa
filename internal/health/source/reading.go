package source

import (
	"fmt"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
)

// Reading is one number read from a source, or the verdict that there is none.
type Reading struct {
	Value float64
	// Verdict is empty when value is usable, and why says why not.
	Verdict judge.Verdict
	Why     string
	// Span is how long a count's events were counted, at most the window.
	Span time.Duration
	// Steady is set by a source that knows the share of that time, covered, in which
	// every event was counted, and those events: not what a page could not be read
	// for, nor what a program counted around its restart.
	Steady  *float64
	Covered float64
	// Early says how the number also rests on the time before evidence counts; empty
	// when it does not.
	Early string
	// Impossible says that nothing will ever be answered: the check asks for what the
	// source has not got.
	Impossible bool
	// Empty tells an answer without any series from other trouble.
	Empty    bool
	Query    string
	Warnings []string
}

// Readings is a reading of each target, or the verdict that there is none of any. Its
// own value means nothing.
type Readings struct {
	Reading
	Of map[string]Reading // by target id
	// Asked is how many targets there are, of which those in of were read.
	Asked int
}

// Usable refuses what is not a number to judge by.
func (r Reading) Usable() Reading {
	switch {
	case r.Verdict != "":
	case math.IsNaN(r.Value):
		r.Verdict, r.Why = judge.NoData, "the source answered NaN"
	case math.IsInf(r.Value, 0):
		r.Verdict, r.Why = judge.NoData, fmt.Sprintf("the source answered %v", r.Value)
	}
	return r
}

// Counted is usable for a count of events, which is never negative.
func (r Reading) Counted() Reading {
	if r = r.Usable(); r.Verdict == "" && (r.Value < 0 || r.Value > maxCount) {
		r.Verdict, r.Why = judge.NoData, fmt.Sprintf("the source counted %g events, which cannot be", r.Value)
	}
	return r
}

// maxCount is more than anything has ever counted, and small enough that scaling
// and adding up never overflow.
const maxCount = 1e18

func NoData(query, format string, args ...any) Reading {
	return Reading{Verdict: judge.NoData, Why: fmt.Sprintf(format, args...), Query: query}
}
