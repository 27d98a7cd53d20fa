package simulate

import (
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// World is a modelled fleet at work. It goes on whenever it is asked or told something, up to the
// time that its clock says then; what has happened stays. It is safe for concurrent use.
type World struct {
	model   Model
	release string
	now     func() time.Time
	began   time.Time
	asks    asks

	mu    sync.Mutex
	hosts []*host
	byID  map[string]*host
	// times are the ends of the slots of the series: the past first, in wider ones.
	slot   time.Duration
	upto   time.Time   // the end of the newest slot, which has begun
	above  []time.Time // per fault, since when its share of the fleet has the release; zero where it has not
	with   int         // targets with the release
	shown  []bool      // per fault, whether it has begun anywhere
	healed bool
	ledger Ledger
}

// host is one target.
type host struct {
	fleet.Target
	key    uint64
	load   Load
	faults []int // those of the model that it can have
	state  driver.State
	// got is when it last got the release; had says that it ever did.
	got time.Time
	had bool
	// series are cumulative counts per stream, one per slot that is over.
	series [][]float64
}

// Slots are how finely the world goes on: events of one slot spread over it evenly.
const (
	pastSlot = time.Minute
	// Slot is that of the time since the world began, at most: it is half of what a spec has
	// between two looks.
	Slot = 5 * time.Second
	// past is how long before its beginning the world has served traffic.
	past      = 25 * time.Hour
	leastSlot = 100 * time.Millisecond
)

// NewWorld is a fleet that runs before, when a rollout of the release that the spec names begins on
// it. The clock is that of the rollout.
func NewWorld(m Model, s spec.Spec, k spec.Kinds, f fleet.Fleet, before string, now func() time.Time) *World {
	began := now().Truncate(time.Second)
	w := &World{
		model: m, release: s.Release, now: now, began: began, asks: asksOf(s.Health, k),
		slot: max(leastSlot, min(Slot, s.Health.Every.Std()/2)),
		byID: make(map[string]*host, len(f.Targets)), upto: began.Add(-past), above: make([]time.Time, len(m.Faults)),
		shown: make([]bool, len(m.Faults)),
	}
	faults := m.faultsOf(f.Targets)
	for _, t := range f.Targets {
		h := &host{Target: t, key: hash(t.ID), load: m.loadOf(t), faults: faults[t.ID], state: driver.State{Release: before, Alive: true}}
		h.series = make([][]float64, len(w.asks.streams))
		w.hosts, w.byID[t.ID] = append(w.hosts, h), h
	}
	w.goOn()
	return w
}

// condition is what is wrong with a target, and how much of its traffic it serves.
type condition struct {
	down, silent    bool
	traffic         float64
	errors, latency float64            // factors
	failing         float64            // share of requests, at least
	checks          map[string]Fault   // by name
	strength        map[string]float64 // of those
	caused          bool               // by the release
}

// conditionOf is what is wrong with a target at a time.
func (w *World) conditionOf(h *host, at time.Time) condition {
	c := condition{traffic: 1, errors: 1, latency: 1}
	if w.healed {
		return c
	}
	for _, i := range h.faults {
		f := w.model.Faults[i]
		if s := f.strength(w.since(i, h, at)); s > 0 {
			w.shown[i] = true
			c.add(f, s)
		}
	}
	return c
}

// since is how long ago a fault began on a target; nil is none. Negative where it has not.
func (w *World) since(i int, h *host, at time.Time) time.Duration {
	const notYet = -time.Second
	f := w.model.Faults[i]
	start := w.began.Add(f.At)
	if h != nil && !f.Everywhere {
		if !h.had || h.state.Release != w.release && !f.Stays {
			return notYet
		}
		start = source.Later(start, h.got.Add(f.From))
	}
	if f.Above > 0 {
		if w.above[i].IsZero() {
			return notYet
		}
		start = source.Later(start, w.above[i])
	}
	return at.Sub(start)
}

func (c *condition) add(f Fault, s float64) {
	c.caused = c.caused || !f.Innocent()
	switch f.Kind {
	case Errors:
		if f.Factor > 0 {
			c.errors *= 1 + (f.Factor-1)*s
		}
		c.failing = max(c.failing, f.Share*s)
	case Latency:
		c.latency *= 1 + (f.Factor-1)*s
	case Traffic:
		c.traffic *= 1 - (1-f.Share)*s
	case Check:
		if c.checks == nil {
			c.checks, c.strength = map[string]Fault{}, map[string]float64{}
		}
		c.checks[f.Check], c.strength[f.Check] = f, s
	case Crash:
		c.down = true
	case Brick:
		c.down, c.silent = true, true
	case Silent:
		c.silent = true
	case Refuse, Source: // of orders, and of the source
	}
}

// away says that the source answers nothing at a time.
func (w *World) away(at time.Time) bool {
	for i, f := range w.model.Faults {
		if f.Kind == Source && !w.healed && f.strength(w.since(i, nil, at)) > 0 {
			w.shown[i] = true
			return true
		}
	}
	return false
}

// Heal ends every fault.
func (w *World) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.goOn()
	w.healed = true
}

// goOn serves traffic up to now: the slot that goes on is served as a whole, as things are when it
// begins.
func (w *World) goOn() {
	for !w.upto.After(w.now()) {
		step := w.slot
		if w.upto.Before(w.began) {
			step = pastSlot
		}
		w.serve(w.upto, step)
		w.upto = w.upto.Add(step)
	}
}

// serve serves one slot.
func (w *World) serve(at time.Time, step time.Duration) {
	seconds := step.Seconds()
	counts := !at.Before(w.began)
	if counts {
		w.ledger.begin(at, step, float64(w.with)/float64(len(w.hosts)), len(w.hosts))
	}
	for _, h := range w.hosts {
		c := w.conditionOf(h, at)
		asked := h.load.Rate * seconds * h.load.day(at)
		usual := h.load.Errors * h.load.wander(w.model.Seed, at)
		if counts {
			w.ledger.add(c, asked, usual)
		}
		if len(w.asks.streams) == 0 {
			continue
		}
		moment := uint64(at.Unix()) //nolint:gosec // a key
		requests := 0.0
		if !c.down {
			r := on(w.model.Seed, h.key, moment)
			requests = r.poisson(asked * c.traffic)
		}
		for i, s := range w.asks.streams {
			r := on(w.model.Seed, h.key, s.key, moment)
			last := 0.0
			if n := len(h.series[i]); n > 0 {
				last = h.series[i][n-1]
			}
			h.series[i] = append(h.series[i], last+s.draw(&r, c, requests, usual, h.load.Burst))
		}
	}
}

// counted are the events of a stream on a target up to a time.
func (w *World) counted(h *host, stream int, at time.Time) float64 {
	place := at.Sub(w.began.Add(-past)).Seconds() / pastSlot.Seconds()
	if at.After(w.began) {
		place = past.Seconds()/pastSlot.Seconds() + at.Sub(w.began).Seconds()/w.slot.Seconds()
	}
	series := h.series[stream]
	n := int(place)
	switch {
	case place <= 0 || len(series) == 0:
		return 0
	case n >= len(series):
		return series[len(series)-1]
	case n == 0:
		return series[0] * place
	}
	return series[n-1] + (series[n]-series[n-1])*(place-float64(n))
}

// changed notes that a target runs something else now.
func (w *World) changed(h *host, to driver.State, at time.Time) {
	was := h.state.Release == w.release
	h.state = to
	if is := to.Release == w.release; is && !was {
		h.got, h.had = at, true
		w.with++
	} else if was && !is {
		w.with--
	}
	share := float64(w.with) / float64(len(w.hosts))
	for i, f := range w.model.Faults {
		switch {
		case f.Above == 0:
		case share < f.Above && !f.Stays:
			w.above[i] = time.Time{}
		case share >= f.Above && w.above[i].IsZero():
			w.above[i] = at
		}
	}
}
