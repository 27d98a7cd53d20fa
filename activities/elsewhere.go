package activities

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// What one worker cannot reach may be within reach of another: an attempt that rests on silence, or
// on trouble that is the worker's own, ends, and one elsewhere goes on.

// doubt is what attempts of an activity hand on about such trouble.
type doubt struct {
	// Seen are the workers that have seen it.
	Seen []string `json:"seen,omitempty"`
	// Attempt is when it was seen last.
	Attempt int32 `json:"attempt,omitempty"`
}

// handed is the part of every heartbeat's details that doubts are in.
type handed struct {
	Doubt doubt `json:"doubt,omitzero"`
}

const (
	// pollsWithin is how long ago a worker that lives has polled, at most: a poll lasts a minute.
	pollsWithin = 90 * time.Second
	// mostAside is in how many attempts a worker lets others go first. They may be busy.
	mostAside = 10
	// asideFor is how long an attempt elsewhere is waited for.
	asideFor = 300 * time.Millisecond
	// blindFor is how long a worker that was in trouble lets others go first in what is of the same
	// kind.
	blindFor = 30 * time.Second
)

// blindness is when this worker was in trouble last that another had not seen, by whom it did not
// reach, in Unix seconds: who cannot ask a source may well reach the targets.
type blindness struct {
	targets, health, fleet atomic.Int64
}

// errTypeElsewhere is the type of the error with which an attempt ends so that another worker goes
// on.
const errTypeElsewhere = "AnotherWorker"

// doubts are those of earlier attempts. Its error ends the attempt: this worker has seen the
// trouble, or has been blind just now, and another one that has not is there.
func (a *Activities) doubts(ctx context.Context, blind *atomic.Int64) (doubt, error) {
	var h handed
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &h) != nil {
		h = handed{} // nothing usable: the trouble is seen anew
	}
	d := h.Doubt
	waited := activity.GetInfo(ctx).Attempt - d.Attempt
	tried := slices.Contains(d.Seen, a.identity) || blind != nil && time.Since(time.Unix(blind.Load(), 0)) < blindFor
	if tried && waited < mostAside && a.another(ctx, d) {
		return d, again("this worker has tried; another one goes on", asideFor)
	}
	return d, nil
}

// elsewhere adds this worker to those who have seen the trouble. It answers whether another one is
// there that has not.
func (a *Activities) elsewhere(ctx context.Context, d doubt, blind *atomic.Int64) (doubt, bool) {
	if !a.another(ctx, d) {
		return doubt{}, false
	}
	blind.Store(time.Now().Unix())
	seen := append(slices.Clone(d.Seen), a.identity)
	return doubt{Seen: seen, Attempt: activity.GetInfo(ctx).Attempt}, true
}

// another says that some worker polls that has not seen the trouble. In doubt there is none.
func (a *Activities) another(ctx context.Context, d doubt) bool {
	if a.workers == nil {
		return false
	}
	ids, err := a.workers(ctx)
	return err == nil && slices.ContainsFunc(ids, func(id string) bool { return id != a.identity && !slices.Contains(d.Seen, id) })
}

// nobodyAnswers returns a function that says whether to stop early: none of the first targets
// answered, and another worker is there to try. The other targets were not tried then, so the
// attempt must end with an error.
func (a *Activities) nobodyAnswers(ctx context.Context, r *reach, d doubt, first int) func() bool {
	another := sync.OnceValue(func() bool { return a.another(ctx, d) })
	return func() bool {
		if !r.nobody(first) || !another() {
			return false
		}
		r.halt()
		return true
	}
}

// doubtful ends an attempt with an error where what it has seen may be this worker's own trouble,
// and another worker has not seen it. What certainly is the worker's own ends it in any case: until
// that is over, nobody knows anything. So does a halt: not all were tried.
func (a *Activities) doubtful(ctx context.Context, r *reach, d doubt, silent bool, details func(doubt) any) error {
	own, halted := r.trouble(), r.isHalted()
	if own == "" && !silent && !halted {
		return nil
	}
	if next, ok := a.elsewhere(ctx, d, &a.blind.targets); ok {
		return a.handOn(ctx, r.words(), details(next))
	}
	switch {
	case own == "" && halted: // the other one has gone meanwhile
		return a.handOn(ctx, r.words(), details(d))
	case own == "":
		return nil
	}
	activity.RecordHeartbeat(ctx, details(doubt{}))
	return fmt.Errorf("this worker cannot ask the targets: %s", own)
}

// unsure ends an attempt with an error where what it has read may be this worker's own trouble, and
// another worker has not seen it.
func (a *Activities) unsure(ctx context.Context, why string, d doubt) error {
	if why == "" {
		return nil
	}
	next, ok := a.elsewhere(ctx, d, &a.blind.health)
	if !ok {
		return nil
	}
	return a.handOn(ctx, why, handed{next})
}

// again ends an attempt for the next one.
func again(why string, delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(why, errTypeElsewhere, temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

// handOn ends an attempt with details for the next one, on another worker if there is one.
func (a *Activities) handOn(ctx context.Context, why string, details any) error {
	activity.RecordHeartbeat(ctx, details)
	return again(fmt.Sprintf("worker %s: %s", a.identity, why), asideFor)
}

// pollers are the workers that poll an activity's task queue.
func pollers(ctx context.Context) ([]string, error) {
	res, err := activity.GetClient(ctx).DescribeTaskQueue(ctx, activity.GetInfo(ctx).TaskQueue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return nil, err
	}
	var newest time.Time // by the server's clock
	for _, p := range res.GetPollers() {
		if at := p.GetLastAccessTime().AsTime(); at.After(newest) {
			newest = at
		}
	}
	var out []string
	for _, p := range res.GetPollers() {
		if newest.Sub(p.GetLastAccessTime().AsTime()) < pollsWithin {
			out = append(out, p.GetIdentity())
		}
	}
	return out, nil
}
