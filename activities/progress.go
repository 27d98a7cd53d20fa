package activities

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
)

// beatEvery is the pace of heartbeats of an activity that is waited for when it is cancelled: a
// cancellation reaches an activity only with a heartbeat, and an abort should act within a second
// or two.
const beatEvery = time.Second

// liveEvery is the pace of those of any other activity, a third of the time after which it counts
// as dead. Each costs the server as much as an event of a history does. Where nobody counts, as in
// a rehearsal, it is a minute.
func liveEvery(ctx context.Context) time.Duration {
	timeout := activity.GetInfo(ctx).HeartbeatTimeout
	if timeout == 0 {
		return time.Minute
	}
	return max(time.Second, timeout/3)
}

// beating records heartbeats with details() until stop is called.
func beating(ctx context.Context, every time.Duration, details func() any) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-t.C:
				activity.RecordHeartbeat(ctx, details())
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// living records heartbeats that only say that an activity lives, until stop is called.
func living(ctx context.Context) (stop func()) {
	return beating(ctx, liveEvery(ctx), func() any { return nil })
}

// each calls f for 0..n-1, at most parallel at once, and waits for all of them. It starts no more
// once ctx is done or halt answers true.
func each(ctx context.Context, n, parallel int, halt func() bool, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, max(1, parallel)) {
		wg.Go(func() { // one goroutine for many targets: a new one would first grow its stack
			for ctx.Err() == nil && !halt() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
}

// never is the halt of work that goes on past failures.
func never() bool { return false }

// progress is which targets of a batch are done, kept in heartbeats so that a retried batch
// continues where it was. It is safe for concurrent use.
type progress struct {
	mu   sync.Mutex
	done []bool
	// aside are those of them that somebody else has put, or puts, where they are to be.
	aside   []bool
	trouble []Trouble
	// reach says who was reached in this attempt, and doubt is handed on to the next one.
	reach reach
	doubt doubt
}

// saved is the form of a progress in a heartbeat.
type saved struct {
	handed
	// Done and Aside are a bit per target, least significant first.
	Done  []byte `json:"done"`
	Aside []byte `json:"aside,omitempty"`
}

// resume starts a progress over n targets from the last heartbeat, if any.
func resume(ctx context.Context, n int) *progress {
	p := &progress{done: make([]bool, n), aside: make([]bool, n)}
	var s saved
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &s) != nil {
		return p // nothing usable: everything is tried again, which is harmless
	}
	for i := range p.done {
		p.done[i], p.aside[i] = has(s.Done, i), has(s.Aside, i)
	}
	return p
}

func has(bits []byte, i int) bool { return i/8 < len(bits) && bits[i/8]&(1<<(i%8)) != 0 }

// bitsOf has a bit for each of some answers; none where all are no.
func bitsOf(of []bool) (bits []byte) {
	for i, yes := range of {
		if yes {
			bits = append(bits, make([]byte, max(0, i/8+1-len(bits)))...)
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return bits
}

func (p *progress) save() any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return saved{Done: bitsOf(p.done), Aside: bitsOf(p.aside), handed: handed{p.doubt}}
}

// hand sets what the next attempt is told.
func (p *progress) hand(d doubt) { p.mu.Lock(); defer p.mu.Unlock(); p.doubt = d }

func (p *progress) isDone(i int) bool { p.mu.Lock(); defer p.mu.Unlock(); return p.done[i] }

// setAside has a target that is done, or will be, counted for somebody else.
func (p *progress) setAside(i int) { p.mu.Lock(); defer p.mu.Unlock(); p.aside[i] = true }

func (p *progress) finish(i int) { p.mu.Lock(); defer p.mu.Unlock(); p.done[i] = true }

func (p *progress) fail(t Trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Reason = rollout.Clip(t.Reason, maxReason)
	p.trouble = append(p.trouble, t)
}

// heard notes what came of asking a target: it is done, or in trouble, which may be that it is
// silent.
func (p *progress) heard(i int, t fleet.Target, err error, silent bool) {
	if p.reach.note(err); err != nil {
		p.fail(Trouble{ID: t.ID, Reason: err.Error(), Silent: silent})
		return
	}
	p.finish(i)
}

// failedBeyond says that something failed that may not: more silent targets than are tolerated, or
// any other trouble.
func (p *progress) failedBeyond(silent int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.trouble {
		if !t.Silent {
			return true
		}
	}
	return len(p.trouble) > silent
}

// silentBeyond says that more targets are silent than are tolerated, and that nothing else is
// wrong.
func (p *progress) silentBeyond(tolerated int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.trouble) > tolerated && !slices.ContainsFunc(p.trouble, func(t Trouble) bool { return !t.Silent })
}

// count answers how many targets are done.
func (p *progress) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, d := range p.done {
		if d {
			n++
		}
	}
	return n
}

// maxReason bounds a reason, so that a batch of nothing but trouble stays far below the limit of a
// payload.
const maxReason = 300
