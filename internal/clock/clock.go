// Package clock tells the Temporal server's time without trusting this machine's clock: whatever is
// decided by a time compares times of one clock.
package clock

import (
	"sync"
	"time"
)

// Clock is the server's clock as it is seen from here: a time that the server said, and what has
// passed since by this machine's monotonic clock, which no step of its wall clock moves. Its zero
// value is ready, goes by the wall clock until the server has said a time, and is safe for
// concurrent use.
type Clock struct {
	mu sync.Mutex
	// said is the server's time at the local moment heard.
	said, heard time.Time
}

// What the server says arrives late, never early: the newest of what was heard is nearest.
const (
	// keepFor is how long it is kept against later words that are behind it.
	keepFor = 10 * time.Minute
	// mostLate is how late word arrives at most. What is further behind is a server whose clock was
	// set back.
	mostLate = 2 * time.Minute
)

// Heard notes that it was said by the server's clock just now, or a little earlier.
func (c *Clock) Heard(said time.Time) { c.heardAt(said, time.Now()) }

func (c *Clock) heardAt(said, now time.Time) {
	if said.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	behind := c.at(now).Sub(said)
	if c.heard.IsZero() || behind < 0 || behind > mostLate || now.Sub(c.heard) > keepFor {
		c.said, c.heard = said.Round(0), now
	}
}

// Now is the server's time.
func (c *Clock) Now() time.Time { return c.nowAt(time.Now()) }

func (c *Clock) nowAt(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(now)
}

// at is the server's time at a local moment.
func (c *Clock) at(now time.Time) time.Time {
	if c.heard.IsZero() {
		return now.Round(0)
	}
	return c.said.Add(now.Sub(c.heard))
}

// Ahead is how far this machine's wall clock is ahead of the server's; negative where it is behind.
// Nothing is decided by it: it is shown.
func (c *Clock) Ahead() time.Duration {
	now := time.Now()
	return now.Round(0).Sub(c.nowAt(now))
}
