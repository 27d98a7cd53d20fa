package health

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

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
