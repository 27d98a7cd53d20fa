package main

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// looks notes when each target's metrics page was read, which is when its rollout was looked at,
// and when a target got its order. It is safe for concurrent use.
type looks struct {
	mu      sync.Mutex
	ordered map[string]time.Time
	read    map[string][]time.Time
}

func newLooks() *looks {
	return &looks{ordered: map[string]time.Time{}, read: map[string][]time.Time{}}
}

// wrap sees the requests that a simulated fleet gets.
func (l *looks) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		if rest, ok := strings.CutPrefix(r.URL.Path, "/t/"); ok {
			id, what, _ := strings.Cut(rest, "/")
			l.mu.Lock()
			switch {
			case what == "metrics":
				l.read[id] = append(l.read[id], now)
			case r.Method == http.MethodPut:
				l.ordered[id] = now
			}
			l.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// watched is how many targets were looked at since they got their order.
func (l *looks) watched() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for id, at := range l.ordered {
		if reads := l.read[id]; len(reads) > 0 && reads[len(reads)-1].After(at) {
			n++
		}
	}
	return n
}

// late answers how late each look was that was due between from and to, in seconds. The first is
// due firstLook after the order, each other lookEvery after the one before. One that has not come
// by to is as late as it is by then.
func (l *looks) late(from, to time.Time) []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []float64
	for id, at := range l.ordered {
		due := at.Add(firstLook)
		note := func(came time.Time) {
			if !due.Before(from) && due.Before(to) || due.Before(from) && came.After(from) {
				out = append(out, max(0, came.Sub(due).Seconds()))
			}
		}
		for _, read := range l.read[id] {
			if !read.After(at) || !read.Before(to) {
				continue
			}
			note(read)
			due = read.Add(lookEvery)
		}
		if due.Before(to) {
			note(to)
		}
	}
	return out
}
