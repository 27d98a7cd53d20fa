package simulate

import (
	"slices"
	"time"
)

// Ledger is what a rollout did to a fleet, as the model knows it and nobody else: expected values,
// without chance. Its zero value is of nothing.
type Ledger struct {
	// Asked are the requests since the beginning.
	Asked float64 `json:"asked"`
	// Bad are the requests that the release harmed: lost, failed or slow beyond the usual. Shared
	// are those that something else harmed.
	Bad    float64 `json:"bad"`
	Shared float64 `json:"shared,omitempty"`
	// Exposed is the largest share of the fleet that ran the release while it did harm, and Harmed
	// the largest share that it harmed.
	Exposed float64 `json:"exposed"`
	Harmed  float64 `json:"harmed"`
	// First is when harm of the release began, Over when it was over last, and Still says that it
	// was not over at the end.
	First time.Time `json:"first,omitzero"`
	Over  time.Time `json:"over,omitzero"`
	Still bool      `json:"still,omitempty"`
	// Back is when the first target was told to go back.
	Back time.Time `json:"back,omitzero"`
	// Curve is what happened, minute by minute, with the largest share of each.
	Curve []Point `json:"curve,omitempty"`

	at, upto time.Time
	minute   Point // that is not over
	share    float64
	each     float64 // share of the fleet that one target is
	harmed   float64
}

// Point is a moment of a Ledger.
type Point struct {
	At time.Time `json:"at"`
	// Exposed and Harmed are shares of the fleet: that run the release, and that it harms.
	Exposed float64 `json:"exposed"`
	Harmed  float64 `json:"harmed"`
	// Bad are the requests that the release has harmed so far.
	Bad float64 `json:"bad"`
}

// curveStep is how far points of a curve are apart.
const curveStep = time.Minute

// begin begins a slot in which that share of the fleet runs the release.
func (l *Ledger) begin(at time.Time, long time.Duration, share float64, hosts int) {
	l.closeSlot()
	l.at, l.upto, l.share, l.each, l.harmed = at, at.Add(long), share, 1/float64(hosts), 0
}

// closeSlot ends the slot that was begun last.
func (l *Ledger) closeSlot() {
	if l.upto.IsZero() {
		return
	}
	if l.Still = l.harmed > 0; l.Still {
		if l.First.IsZero() {
			l.First = l.at
		}
		l.Over = l.upto
		l.Exposed, l.Harmed = max(l.Exposed, l.share), max(l.Harmed, l.harmed)
	}
	if l.at.Sub(l.minute.At) >= curveStep {
		l.closeMinute()
		l.minute.At = l.at
	}
	l.minute.Exposed, l.minute.Harmed = max(l.minute.Exposed, Rounded(l.share)), max(l.minute.Harmed, Rounded(l.harmed))
	l.minute.Bad = Rounded(l.Bad)
}

func (l *Ledger) closeMinute() {
	if !l.minute.At.IsZero() {
		l.Curve = append(l.Curve, l.minute)
	}
	l.minute = Point{}
}

// add counts a target's requests of the slot.
func (l *Ledger) add(c condition, asked, usual float64) {
	l.Asked += asked
	bad := asked * c.harm(usual)
	if !c.caused {
		l.Shared += bad
		return
	}
	l.Bad += bad
	if bad > 0 || len(c.checks) > 0 || c.silent { // one that answers nobody is lost to its owners
		l.harmed += l.each
	}
}

// harm is the share of a target's requests that is lost, fails or is slow beyond the usual.
func (c condition) harm(usual float64) float64 {
	if c.down {
		return 1
	}
	failing := min(1, max(usual*c.errors, c.failing)) - usual
	const bound = 3.2 // usual medians: where one request in a hundred is slower
	slow := slower(bound/c.latency) - slower(bound)
	return 1 - c.traffic + c.traffic*max(0, failing, slow)
}

// Ledger is the account of what has happened up to now.
func (w *World) Ledger() Ledger {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.goOn()
	return w.account()
}

// account is the ledger with the slot that was begun last.
func (w *World) account() Ledger {
	out := w.ledger
	out.Curve = slices.Clip(out.Curve) // a slot that is closed here is not closed there
	out.closeSlot()
	out.closeMinute()
	return out
}

// Foresee has the world go on ahead of its clock, and answers what will have happened then if
// nobody gives an order before. Nobody can ask for its numbers any more.
func (w *World) Foresee(until time.Time) Ledger {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.goOn()
	step := w.slot
	if until.Sub(w.upto) > 24*time.Hour {
		step = pastSlot
	}
	w.asks.streams = nil
	for !w.upto.Add(step).After(until) {
		w.serve(w.upto, step)
		w.upto = w.upto.Add(step)
	}
	return w.account()
}
