package source

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promapi"
)

// Reading is one number read from a source, or the verdict that there is none.
type Reading struct {
	Value float64
	// Verdict is empty when Value is usable; otherwise Why says why it is not.
	Verdict judge.Verdict
	Why     string
	// Span is how long a count's events were counted, at most the window.
	Span time.Duration
	// Covered is the share of Span in which every event was counted, and Steady are the events of
	// that share: without the time in which a page could not be read, or in which a program
	// restarted. Only a source that knows both sets them.
	Steady  *float64
	Covered float64
	// Early says why the number rests in part on the time before evidence counts; empty when it
	// does not.
	Early string
	// Impossible says that the source will never answer: it does not have what the check asks for,
	// such as a bucket with that bound.
	Impossible bool
	// Refused says that the source refuses who asks: it wants to know who that is.
	Refused bool
	// Gone says what series of a query are gone since the stage was applied, while others go on:
	// what it asks for happens no more. Empty where that is not so.
	Gone string
	// Empty tells an answer without any series from other trouble.
	Empty    bool
	Query    string
	Warnings []string
}

// Readings is a reading of each target, or the verdict that there is none of any. Its own value
// means nothing.
type Readings struct {
	Reading
	Of map[string]Reading // by target id
	// Asked is how many targets there are, of which those in of were read.
	Asked int
}

// Mean is that of the targets that have a number, in the order in which they are given: in another
// one the last digits of a sum may differ.
func (r Readings) Mean(expr string, targets []fleet.Target) Reading {
	sum, n := 0.0, 0.0
	for _, t := range targets {
		if one, asked := r.Of[t.ID]; asked && one.Verdict == "" {
			sum, n = sum+one.Value, n+1
		}
	}
	switch {
	case r.Verdict != "":
		return r.Reading
	case n == 0:
		return NoData(expr, "no target shows it")
	}
	return Reading{Value: sum / n, Query: expr}
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

// maxCount is more than anything has ever counted, and small enough that scaling and adding up
// never overflow.
const maxCount = 1e18

// NoData is the reading of a query that answers nothing usable, with the reason.
func NoData(query, format string, args ...any) Reading {
	return Reading{Verdict: judge.NoData, Why: fmt.Sprintf(format, args...), Query: query}
}

// NoAnswer is the reading of a query that a host did not answer usably. Redact takes secrets out of
// the reason.
func NoAnswer(query, host string, err error, redact func(string) string) Reading {
	r := NoData(query, "no usable answer from %s: %s", host, Cut(redact(promapi.Cause(err).Error()), 200))
	_, r.Refused = errors.AsType[promapi.Denied](err)
	return r
}

// Cut bounds a text to n bytes and takes what a terminal would act on out of it.
func Cut(s string, n int) string {
	const more = "…"
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s[:min(len(s), 4*n)])
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len(more)], "") + more
}

// PayOwed answers a count less what is owed, and at least 0; what is left over is owed.
func PayOwed(owed *float64, grown float64) float64 {
	grown += *owed
	*owed = min(0, grown)
	return max(0, grown)
}
