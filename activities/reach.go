package activities

import (
	"sync"

	"github.com/sluicehq/sluice/internal/dial"
)

// reach is how far a worker comes in an attempt: who answers, and whose trouble it is that the
// others do not. It is safe for concurrent use.
type reach struct {
	mu               sync.Mutex
	answered, silent int
	own, resolver    string // the first such error
	lost             string // the first silence
	halted           bool   // not all were tried, since nobody answers
}

// begin forgets what an earlier pass has shown.
func (r *reach) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered, r.silent, r.own, r.resolver, r.lost, r.halted = 0, 0, "", "", "", false
}

// note takes what came of a target.
func (r *reach) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || !isSilence(err) {
		r.answered++
		return
	}
	r.silent++
	set := func(s *string) {
		if *s == "" {
			*s = err.Error()
		}
	}
	switch dial.Blame(err) {
	case dial.Own:
		set(&r.own)
	case dial.Resolver:
		set(&r.resolver)
	default:
		set(&r.lost)
	}
}

// trouble is what is wrong with the worker itself; empty if nothing is known to be. A resolver that
// answers for some targets is not what is wrong with the others.
func (r *reach) trouble() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.own != "":
		return r.own
	case r.answered == 0:
		return r.resolver
	}
	return ""
}

// nobody says that so many targets, at least, were asked and none has answered.
func (r *reach) nobody(asked int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered == 0 && r.silent >= max(1, asked)
}

// halt notes that the targets that are left are not tried.
func (r *reach) halt() { r.mu.Lock(); defer r.mu.Unlock(); r.halted = true }

func (r *reach) isHalted() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.halted }

// words say who did not answer, for example.
func (r *reach) words() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range []string{r.own, r.resolver, r.lost} {
		if s != "" {
			return s
		}
	}
	return ""
}
