package health

import (
	"fmt"
	"math"
	"time"
)

// reading is one number read from a source, or the verdict that there is none.
type reading struct {
	value float64
	// verdict is empty when value is usable, and why says why not.
	verdict Verdict
	why     string
	// span is how long a count's events were counted, at most the window.
	span time.Duration
	// steady is set by a source that knows the share of that time, covered, in which
	// every event was counted, and those events: not what a page could not be read
	// for, nor what a program counted around its restart.
	steady  *float64
	covered float64
	// early says how the number also rests on the time before evidence counts; empty
	// when it does not.
	early string
	// impossible says that nothing will ever be answered: the check asks for what the
	// source has not got.
	impossible bool
	// empty tells an answer without any series from other trouble.
	empty    bool
	query    string
	warnings []string
}

// spread is a reading of each target, or the verdict that there is none of any. Its
// own value means nothing.
type spread struct {
	reading
	of map[string]reading // by target id
	// asked is how many targets there are, of which those in of were read.
	asked int
}

// usable refuses what is not a number to judge by.
func (r reading) usable() reading {
	switch {
	case r.verdict != "":
	case math.IsNaN(r.value):
		r.verdict, r.why = NoData, "the source answered NaN"
	case math.IsInf(r.value, 0):
		r.verdict, r.why = NoData, fmt.Sprintf("the source answered %v", r.value)
	}
	return r
}

// counted is usable for a count of events, which is never negative.
func (r reading) counted() reading {
	if r = r.usable(); r.verdict == "" && (r.value < 0 || r.value > maxCount) {
		r.verdict, r.why = NoData, fmt.Sprintf("the source counted %g events, which cannot be", r.value)
	}
	return r
}

// maxCount is more than anything has ever counted, and small enough that scaling
// and adding up never overflow.
const maxCount = 1e18

func noData(query, format string, args ...any) reading {
	return reading{verdict: NoData, why: fmt.Sprintf(format, args...), query: query}
}
