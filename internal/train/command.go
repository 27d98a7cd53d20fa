package train

import (
	"slices"
)

// Command is what the train has to do.
type Command struct {
	// Start asks to start a rollout with its Standing, or to start one that was lost once more.
	Start Number `json:"start,omitempty"`
	// Tell tells a rollout its Standing.
	Tell     Number   `json:"tell,omitempty"`
	Standing Standing `json:"standing,omitzero"`
	// Compare compares the plan of a rollout with that of the older one With (see Needs), and hands
	// the outcome to Ledger.Compared.
	Compare Number `json:"compare,omitempty"`
	With    Number `json:"with,omitempty"`
}

// advance does all that can be done now: it starts what is queued, begins a new term, lets rollouts
// enter, and answers what they are to be told, and which are to be started, those that were lost
// included.
func (l *Ledger) advance(start ...Number) (out []Command) {
	for _, r := range slices.Clone(l.Open) {
		if r.State == Lost && l.passedBy(r.Number) { // every target that it could answer for runs a younger release
			l.end(r.Number, "terminated", "it was ended by hand, and a younger rollout has passed everywhere")
		}
	}
	if l.Stale && l.goesBack() == nil {
		first := l.Last + 1
		if len(l.Open) > 0 {
			first = l.Open[0].Number
		}
		l.Term, l.Stale = l.Term.next(0, first), false
	}
	for i := range l.Open {
		if r := &l.Open[i]; r.State == Queued && l.goesBack() == nil {
			r.State, r.Began = Going, l.Term
			start = append(start, r.Number)
		}
	}
	for before := -1; before != l.reserved(); {
		before = l.reserved()
		l.enter()
	}
	out = l.tell()
	l.grant()
	out = append(out, l.tell()...)
	for _, n := range start {
		out = slices.DeleteFunc(out, func(c Command) bool { return c.Tell == n })
		out = append(out, Command{Start: n, Standing: l.find(n).Told})
	}
	return append(out, l.compare()...)
}

// date gives rollouts the newest term for their way back, each once every older one has
// acknowledged it: until then the way back of the older one would be below that of the younger one.
func (l *Ledger) date() {
	for at := range l.Open {
		r := &l.Open[at]
		if !slices.ContainsFunc(l.Open[:at], func(o Rollout) bool { return o.Dated != l.Term }) {
			r.Term = l.Term
		}
	}
}

// compare answers which plans are still to be compared.
func (l *Ledger) compare() (out []Command) {
	for at := range l.Open {
		for _, o := range l.older(at) {
			if r := &l.Open[at]; r.Stages > 0 && o.Stages > 0 && r.Needs[o.Number] == nil {
				out = append(out, Command{Compare: r.Number, With: o.Number})
			}
		}
	}
	return out
}

// reserved adds up what was reserved for the rollouts.
func (l *Ledger) reserved() (n int) {
	for i := range l.Open {
		n += l.Open[i].Reserved
	}
	return n
}

// tell answers the standings that differ from what was told.
func (l *Ledger) tell() (out []Command) {
	l.date()
	for i := range l.Open {
		r := &l.Open[i]
		if r.State == Queued {
			continue
		}
		now := l.standing(i)
		if now.Version = r.Told.Version; !now.same(r.Told) {
			now.Version++
			r.Told = now
			out = append(out, Command{Tell: r.Number, Standing: now})
		}
	}
	return out
}

// Retell answers the standings that were not acknowledged, for messages that were lost.
func (l *Ledger) Retell() (out []Command) {
	for i := range l.Open {
		if r := &l.Open[i]; r.State != Queued && r.State != Lost && r.Heard < r.Told.Version {
			out = append(out, Command{Tell: r.Number, Standing: r.Told})
		}
	}
	return out
}

// Again answers all that the ledger has asked for and cannot know to be done: what was not
// acknowledged, and plans to compare.
func (l Ledger) Again() []Command { return append(l.Retell(), l.compare()...) }
