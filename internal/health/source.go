package health

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// arm is one side of a comparison.
type arm int

const (
	exposed arm = iota
	control
)

// arms are both sides, or the exposed one where there is no control to compare with.
func arms(alone bool) []arm {
	if alone {
		return []arm{exposed}
	}
	return []arm{exposed, control}
}

// lack is what it means that a count finds no series.
type lack bool

const (
	// lackIsUnknown: nothing is known.
	lackIsUnknown lack = false
	// lackIsNone: no such event has happened yet, if the source shows that it would
	// know.
	lackIsNone lack = true
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

// source is where numbers come from. What goes wrong is in the reading. After a
// refresh, what counts and reads may be called concurrently.
type source interface {
	// refresh reads anew, for sources that keep what they have read; what lies
	// before from is no evidence any more.
	refresh(ctx context.Context, at, from time.Time)
	// count is how many events an arm showed in the window.
	count(ctx context.Context, expr string, a arm, w window, l lack) reading
	// added is how many events of an arm are new since the tally, which it brings up to
	// date.
	added(ctx context.Context, expr string, a arm, w window, t *Tally, l lack) reading
	// past are the events of an arm before at, in looks of step each, oldest first; nil
	// for a source without a past.
	past(ctx context.Context, expr string, a arm, at time.Time, looks int, step time.Duration) ([]float64, reading)
	// bounds are those of a histogram's buckets, ascending; none where they are not known.
	bounds(ctx context.Context, histogram string, w window) []float64
	// gauge is a plain number about the exposed targets now.
	gauge(ctx context.Context, expr string, w window) reading
	// counts and gauges are the same of every single target of an arm, for counts the
	// exposed, that the expression is about.
	counts(ctx context.Context, expr string, w window, l lack) spread
	gauges(ctx context.Context, expr string, a arm, w window) spread
	// usual is the mean of each target's number before the window's end, over so long a
	// time in steps; of a source without a past, in the window. It lacks targets of which
	// nothing is known.
	usual(ctx context.Context, expr string, a arm, w window, long, step time.Duration) map[string]float64
	// absence is how long counting must have gone on for nothing to mean that there
	// is nothing.
	absence() time.Duration
	// settling is how long counting must have gone on for one restart, with what it
	// takes from the counters, not to look as if most events were missing.
	settling() time.Duration
	// coverage is how many targets of an arm an expression is read from, and how many
	// those stand for.
	coverage(expr string, a arm) (read, of int)
	// density is how many samples per second the source has of what an expression
	// reads of the exposed targets; 0 when it does not tell.
	density(ctx context.Context, expr string, w window) float64
	// baseline readies a source to answer about the time up to at, before anything was
	// applied: all that it reads is evidence. One without a past reads for a while, so at
	// is not the end.
	baseline(ctx context.Context, at time.Time) (window, error)
}

// memory is what a source has, too, that has no past and keeps what it read.
type memory interface {
	// looked is what an arm showed in each look of the baseline; nil where it kept none.
	looked(expr string, a arm) []float64
	// state and restore hand what it keeps on to another worker.
	state() *ScrapeState
	restore(*ScrapeState) error
}

var _ memory = (*scrape)(nil)

// looked is what a source kept of each look of the baseline; nil where it keeps none.
func (m *Meter) looked(expr string, a arm) []float64 {
	if kept, ok := m.source.(memory); ok {
		return kept.looked(expr, a)
	}
	return nil
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

// window is the span that a look covers.
type window struct{ from, at time.Time }

func (w window) length() time.Duration { return w.at.Sub(w.from) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// times are when samples count as evidence.
type times struct {
	at, begin time.Time
	// after is how old the newest sample may be, and ahead how far in the future:
	// some, since it may have been taken while the look went on.
	after spec.Duration
	ahead time.Duration
}

// aged says STALE of a newest sample that is too old, or from before begin, or from
// so far in the future that clocks disagree: nothing then tells what is old.
func (t times) aged(newest time.Time) reading {
	switch age := t.at.Sub(newest); {
	case age > t.after.Std():
		return reading{verdict: Stale, why: fmt.Sprintf("the newest sample is %s old, at most %s is accepted", age.Round(time.Second), t.after)}
	case -age > t.ahead:
		return reading{verdict: Stale, why: fmt.Sprintf("the newest sample is from %s in the future: the clocks of the worker and of the source disagree", (-age).Round(time.Second))}
	case newest.Before(t.begin):
		return reading{verdict: Stale, why: "the newest sample is from before the stage was applied and warmed up"}
	}
	return reading{}
}

// ahead is how far in the future a sample may be in a look that goes on for so long
// already: as far as it may be in the past, and at least as far as looks may begin
// late.
func ahead(h spec.Health, going time.Duration) time.Duration {
	return max(h.StaleAfter.Std(), 2*h.Every.Std()) + min(max(0, going), lookLimit)
}
