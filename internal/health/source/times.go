package source

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

// Window is the span that a look covers.
type Window struct{ From, At time.Time }

// Length is how long the window is.
func (w Window) Length() time.Duration { return w.At.Sub(w.From) }

// Later is the later of two times.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Times are when samples count as evidence.
type Times struct {
	At, Begin time.Time
	// After is how old the newest sample may be, and ahead how far in the future: some, since it
	// may have been taken while the look went on.
	After spec.Duration
	Ahead time.Duration
	// Late is how long before At the source's answers are as of, whatever samples it has.
	Late time.Duration
}

// Aged says STALE of a newest sample that is too old, or from before begin, or from so far in the
// future that clocks disagree: nothing then tells what is old.
func (t Times) Aged(newest time.Time) Reading {
	age := t.At.Sub(newest)
	if age >= -t.Ahead && age < t.Late {
		age, newest = t.Late, t.At.Add(-t.Late)
	}
	switch {
	case age > t.After.Std() && t.Late > 0:
		return Reading{
			Verdict: judge.Stale,
			Why: fmt.Sprintf("the newest sample that the source answers by is %s old, at most %s is accepted: it answers as of %s ago on purpose",
				age.Round(time.Second), t.After, t.Late.Round(time.Second)),
		}
	case age > t.After.Std():
		return Reading{
			Verdict: judge.Stale,
			Why:     fmt.Sprintf("the newest sample is %s old, at most %s is accepted", age.Round(time.Second), t.After),
		}
	case -age > t.Ahead:
		return Reading{
			Verdict: judge.Stale,
			Why: fmt.Sprintf(
				"the newest sample is from %s in the future: the clocks of the source and of what it reads disagree", (-age).Round(time.Second),
			),
		}
	case newest.Before(t.Begin):
		return Reading{Verdict: judge.Stale, Why: "the newest sample is from before the stage was applied and warmed up"}
	}
	return Reading{}
}

// Apart words how far a clock is ahead of another, such as "10m0s ahead of".
func Apart(ahead time.Duration) string {
	word := " ahead of"
	if ahead < 0 {
		word = " behind"
	}
	return ahead.Abs().Round(time.Second).String() + word
}

// LookLimit is how long a look reads its source: until the next one is due, within bounds. What has
// not answered by then has not answered. Asking targets has limits of its own.
func LookLimit(h spec.Health) time.Duration { return min(max(h.Every.Std(), leastLook), mostLook) }

const (
	leastLook = 15 * time.Second
	mostLook  = 45 * time.Second
)

// Ahead is how far in the future a sample may be in a look that goes on for so long already: as far
// as it may be in the past, and at least as far as looks may begin late.
func Ahead(h spec.Health, going time.Duration) time.Duration {
	return max(h.StaleAfter.Std(), 2*h.Every.Std()) + min(max(0, going), mostLook)
}

// EarlierRun is a time in which an earlier rollout of the same unit ran: what its targets showed
// then is not how they usually are.
type EarlierRun struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// During says that some of the spans covers a part of a time. What a rollout left behind is over
// one step after it.
func During(spans []EarlierRun, from, to time.Time, step time.Duration) bool {
	for _, s := range spans {
		if from.Before(s.To.Add(step)) && to.After(s.From) {
			return true
		}
	}
	return false
}
