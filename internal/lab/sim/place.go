package sim

import (
	"cmp"
	"maps"
	"net/http"
	"sync"
	"time"
)

// place is one simulated target: an agent that takes orders, and the unit's process, which serves
// traffic and counts it.
type place struct {
	id    string
	index int
	key   uint64 // hash of the id
	conf  *Options
	start time.Time

	mu          sync.Mutex
	release     string
	fence       int64
	since       time.Time // when the process started
	faults      faults
	shape       [2]shape // usual, and with the faults
	next        uint64   // the first slot that was not served yet
	counters    counters
	served      map[string]Served
	flaked      bool
	unreachable bool
	delay       time.Duration
	trouble     float64 // how many times as many requests fail, whatever the release; 0 is once
}

// Served counts the requests that a target served while on one release.
type Served struct {
	Requests uint64 `json:"requests"`
	Bad      uint64 `json:"bad"`
}

func newPlace(id string, index int, conf *Options, start time.Time) *place {
	p := &place{id: id, index: index, key: hash(id), conf: conf, start: start, served: map[string]Served{}}
	p.boot(conf.Release, start)
	return p
}

// boot starts a process anew: its counters begin at zero.
func (p *place) boot(release string, at time.Time) {
	p.release, p.since, p.counters = release, at, counters{}
	p.faults = parseFaults(release).on(p.index, release)
	p.shape = [2]shape{shapeOf(usualLatency), shapeOf(p.faults.latency)}
}

// serve catches up with the traffic until now.
func (p *place) serve(now time.Time) {
	until := uint64(max(0, now.Sub(p.start)) / slot)
	if p.next >= until {
		return
	}
	before := p.counters
	for ; p.next < until; p.next++ {
		p.serveSlot(p.start.Add(time.Duration(p.next) * slot))
	}
	if p.release != "" {
		s := p.served[p.release]
		s.Requests += p.counters.ok + p.counters.bad - before.ok - before.bad
		s.Bad += p.counters.bad - before.bad
		p.served[p.release] = s
	}
}

func (p *place) serveSlot(at time.Time) {
	ill := at.Sub(p.since) >= p.faults.after
	if p.release == "" || p.dead(at) || ill && p.faults.noTraffic {
		return
	}
	errors, s := usualErrors, &p.shape[0]
	if ill {
		errors, s = p.faults.errors, &p.shape[1]
	}
	if p.trouble > 0 {
		errors = min(1, errors*p.trouble)
	}
	rng := randomFor(p.conf.Seed, p.key, p.next)
	p.counters.serve(&rng, p.conf.RPS*slot.Seconds(), errors, s)
}

// dead says whether the unit's process has ended.
func (p *place) dead(at time.Time) bool { return p.past(p.faults.crash, at) || p.gone(at) }

// gone says whether the whole target has stopped answering by itself.
func (p *place) gone(at time.Time) bool { return p.past(p.faults.gone, at) }

func (p *place) past(fault *time.Duration, at time.Time) bool {
	return fault != nil && at.Sub(p.since) >= p.faults.after+*fault
}

// order is what a PUT asks for and decides: the status to answer and the words with it.
func (p *place) order(release string, fence int64, at time.Time) (status int, reason string) {
	p.serve(at)
	asked := parseFaults(release).on(p.index, release)
	switch {
	case fence < p.fence:
		return http.StatusConflict, "a newer fence has been here"
	case asked.refuse:
		return http.StatusUnprocessableEntity, "this release does not pass the target's own check"
	case asked.flaky && !p.flaked:
		p.flaked = true
		return http.StatusServiceUnavailable, "try again"
	}
	p.fence = fence
	// The same release again is no restart, unless the process has died.
	if !asked.noEffect && (release != p.release || p.dead(at)) {
		p.boot(release, at)
	}
	return http.StatusOK, ""
}

// drift changes the release behind everybody's back.
func (p *place) drift(release string, at time.Time) {
	p.serve(at)
	p.boot(release, at)
}

// TargetState is what a target tells of itself.
type TargetState struct {
	ID      string `json:"id"`
	Release string `json:"release"`
	Fence   int64  `json:"fence"`
	Alive   bool   `json:"alive"`
	Detail  string `json:"detail"`
	// Served counts requests by the release that served them, since the simulation began.
	Served map[string]Served `json:"served"`
}

func (p *place) state(at time.Time) TargetState {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve(at)
	s := TargetState{ID: p.id, Release: p.release, Fence: p.fence, Alive: !p.dead(at), Served: maps.Clone(p.served)}
	if !s.Alive {
		s.Detail = "the process ended " + (p.faults.after + *cmp.Or(p.faults.crash, p.faults.gone)).String() + " after it was started"
	}
	return s
}

// page is what a target's metrics page shows.
type page struct {
	id, release string
	counters    counters
	flood       int
}

// page answers false when nobody answers on the metrics port.
func (p *place) page(at time.Time) (page, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve(at)
	return page{p.id, p.release, p.counters, p.faults.flood}, !p.dead(at) && !p.unreachable
}

// reach says whether the target's agent answers, and how late.
func (p *place) reach(at time.Time) (delay time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay, !p.unreachable && !p.gone(at)
}
