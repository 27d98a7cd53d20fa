package train

import (
	"fmt"
	"slices"
)

// rule is one condition for a rollout to enter its next stage. Blocks says in words what keeps the
// rollout at a place from it; empty if nothing does.
type rule struct {
	name   string
	blocks func(l *Ledger, at int) string
}

// rules are all of them. A test removes each in turn, and sees that its model finds that out.
var rules = []rule{
	{"hold", held},
	{"way back", whileGoingBack},
	{"no overtaking", behind},
}

// Waits says what keeps a rollout from its next stage; empty if nothing does or if it is not under
// way.
func (l *Ledger) Waits(n Number) string {
	for at := range l.Open {
		if l.Open[at].Number == n {
			return l.blocked(at)
		}
	}
	return ""
}

func (l *Ledger) blocked(at int) string {
	for _, r := range rules {
		if why := r.blocks(l, at); why != "" {
			return why
		}
	}
	return ""
}

// held is the unit's hold.
func held(l *Ledger, _ int) string {
	if l.Hold == nil {
		return ""
	}
	return "the unit is held: " + l.Hold.Why
}

// whileGoingBack is another rollout that goes back, or should.
func whileGoingBack(l *Ledger, _ int) string {
	r := l.goesBack()
	switch {
	case r == nil:
		return ""
	case r.State == Lost:
		return fmt.Sprintf("rollout %d was ended by hand, and nobody has taken back what it had changed", r.Number)
	}
	return fmt.Sprintf("rollout %d goes back", r.Number)
}

// behind is an older rollout that has not passed the stages with these targets. One that is in no
// stage gives way, unless it is to reach everybody.
func behind(l *Ledger, at int) string {
	r := &l.Open[at]
	for _, o := range l.older(at) {
		switch needs, known := r.Needs[o.Number]; {
		case o.State != Going: // it has passed everywhere, or enters no more
		case o.Reserved == 0 && !o.Every:
		case !known:
			return fmt.Sprintf("its plan is compared with that of rollout %d", o.Number)
		case o.Passed >= needs[r.Reserved]:
		case o.idle() && !o.Every:
		case o.idle():
			return fmt.Sprintf("rollout %d is to reach every stage, and comes first", o.Number)
		default:
			return fmt.Sprintf("rollout %d is still in a stage with these targets", o.Number)
		}
	}
	return ""
}

// enter reserves stages for the rollouts that may have them, the youngest first, and grants those
// that every older one has acknowledged.
func (l *Ledger) enter() {
	for at := len(l.Open) - 1; at >= 0; at-- {
		r := &l.Open[at]
		if r.State == Going && r.WithdrawnBy == 0 && r.Wants && r.idle() && l.blocked(at) == "" {
			l.reserve(at)
		}
	}
}

// reserve gives a rollout its next stage. Older ones that have not come as far are superseded.
func (l *Ledger) reserve(at int) {
	r := &l.Open[at]
	r.Ahead = nil
	for _, o := range l.older(at) {
		if needs, known := r.Needs[o.Number]; o.State == Going && (!known || o.Passed < needs[r.Reserved]) {
			o.State, o.SupersededBy, o.Wants = Superseded, r.Number, false
		}
		if r.Ahead == nil && o.State != Superseded {
			r.Ahead = o.progress(o.Passed)
		}
		if r.Release != o.Release && !slices.Contains(o.Younger, r.Release) {
			o.Younger = append(slices.Clone(o.Younger), r.Release)
		}
	}
	r.Reserved++
	r.Wants = false
}

// grant lets rollouts have what was reserved for them, once every older one has acknowledged all
// that it was told.
func (l *Ledger) grant() {
	if l.goesBack() != nil {
		return
	}
	for at := range l.Open {
		r := &l.Open[at]
		if r.Granted == r.Reserved || r.WithdrawnBy != 0 {
			continue
		}
		ready := true
		for _, o := range l.older(at) {
			ready = ready && acknowledged(o)
		}
		if ready {
			r.Granted = r.Reserved
		}
	}
}

// acknowledged says that a rollout acts by all that it was told.
var acknowledged = func(r *Rollout) bool { return r.Heard >= r.Told.Version }
