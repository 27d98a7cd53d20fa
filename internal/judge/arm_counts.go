package judge

import (
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// The arms' places, where they are an array.
const (
	exposed = iota
	control
)

// ArmCounts are what both arms counted since the look before it. A nil arm was not seen: nothing is
// known of it, which is not the same as nothing happened.
type ArmCounts struct {
	// At is when the look ends, since the change; before it, zero or negative.
	At      time.Duration
	Exposed *sequential.Counts
	Control *sequential.Counts
}

// pair is both arms, if both were seen and what was seen can be.
func (l ArmCounts) pair() (sequential.Pair, bool) {
	if !sane(l.Exposed) || !sane(l.Control) {
		return sequential.Pair{}, false
	}
	return sequential.Pair{Exposed: *l.Exposed, Control: *l.Control}, true
}

// maxCount is more than anything ever counted in a look.
const maxCount = 1e15

// sane says that an arm was seen, and that its counts can be: a little more bad events than events
// may come of how a source estimates both.
func sane(c *sequential.Counts) bool {
	return c != nil && c.Bad >= 0 && c.Total >= 0 && c.Total <= maxCount && c.Bad <= 1.1*c.Total+1
}

// pairs are the looks in which both arms were seen.
func pairs(looks []ArmCounts) []sequential.Pair {
	var out []sequential.Pair
	for _, l := range looks {
		if p, ok := l.pair(); ok {
			out = append(out, p)
		}
	}
	return out
}

// spanned is how long a time looks cover, each as long as the time between two of them; 0 where
// there are none.
func spanned(looks []ArmCounts) time.Duration {
	var at []time.Duration // without strata
	for _, l := range looks {
		if n := len(at); n == 0 || l.At > at[n-1] {
			at = append(at, l.At)
		}
	}
	if len(at) < 2 {
		return 0
	}
	span := at[len(at)-1] - at[0]
	return span + span/time.Duration(len(at)-1)
}

// armsSeen is when the arms were there to be compared. Its zero value has seen nothing.
type armsSeen struct {
	// Newest is when both arms were last seen, Seen when the exposed one was.
	Newest time.Duration `json:"newest,omitempty"`
	Seen   time.Duration `json:"seen,omitempty"`
	// Any says that some look had both.
	Any bool `json:"any,omitempty"`
	// Alone is how many events the exposed arm showed while the other showed none.
	Alone float64 `json:"alone,omitempty"`
}

// staleAfter is how many intervals old the newest look may be.
const staleAfter = 2

// absent is the verdict where the arms cannot be compared at a moment, since they were not seen, or
// not lately; it is empty where they can.
func (p armsSeen) absent(c Criteria, at time.Duration) (verdict Verdict, why string) {
	late := at - p.Newest
	switch {
	case !p.Any && p.Seen > 0:
		return NoData, "nothing to compare with: " + c.other() + " was not seen"
	case !p.Any:
		return NoData, "nothing was seen since the change"
	case c.Every > 0 && late > staleAfter*c.Every:
		return Stale, "exposed targets and " + c.other() + " were last seen " + brief(late) + " ago"
	}
	return "", ""
}
