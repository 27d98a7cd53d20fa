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

// Look is what both arms counted since the look before it. A nil arm was not seen:
// nothing is known of it, which is not the same as nothing happened.
type Look struct {
	// At is when the look ends, since the change; before it, zero or negative.
	At      time.Duration
	Exposed *sequential.Counts
	Control *sequential.Counts
}

// pair is both arms, if both were seen and what was seen can be.
func (l Look) pair() (sequential.Pair, bool) {
	if !sane(l.Exposed) || !sane(l.Control) {
		return sequential.Pair{}, false
	}
	return sequential.Pair{Exposed: *l.Exposed, Control: *l.Control}, true
}

// maxCount is more than anything ever counted in a look.
const maxCount = 1e15

// sane says that an arm was seen, and that its counts can be: a little more bad
// events than events may come of how a source estimates both.
func sane(c *sequential.Counts) bool {
	return c != nil && c.Bad >= 0 && c.Total >= 0 && c.Total <= maxCount && c.Bad <= 1.1*c.Total+1
}

// pairs are the looks in which both arms were seen.
func pairs(looks []Look) []sequential.Pair {
	var out []sequential.Pair
	for _, l := range looks {
		if p, ok := l.pair(); ok {
			out = append(out, p)
		}
	}
	return out
}
