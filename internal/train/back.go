package train

import (
	"fmt"
	"slices"
)

// condemn notes that a rollout goes back, and withdraws every younger one: they contain it.
func (l *Ledger) condemn(r *Rollout) {
	if r.State == Back {
		return
	}
	n := r.Number
	r.State, r.Wants, r.Reserved = Back, false, r.Granted
	l.bar(r.Release, n, n)
	l.Hold = cause(l.Hold, &Hold{Why: fmt.Sprintf("rollout %d went back; a newer release ends that", n), After: n})
	var contained []string
	for i := range l.Open {
		y := &l.Open[i]
		if y.Number > n {
			l.withdraw(y, *r, contained)
		}
		if y.Number >= n {
			contained = append(contained, y.Release)
		}
	}
	l.Open = slices.DeleteFunc(l.Open, func(y Rollout) bool { // what was never started has nothing to take back
		if y.State == Queued && y.WithdrawnBy != 0 {
			l.close(y, "withdrawn", fmt.Sprintf("withdrawn with rollout %d", y.WithdrawnBy))
			return true
		}
		return false
	})
	l.Stale = true
}

// withdraw takes a rollout out of the train that contains a condemned one, by. Contained are the
// releases that it puts back nowhere.
func (l *Ledger) withdraw(r *Rollout, by Rollout, contained []string) {
	if r.WithdrawnBy == 0 || by.Number < r.WithdrawnBy {
		r.WithdrawnBy, r.Since = by.Number, by.Began.Apply(by.Number)
	}
	r.Wants, r.Reserved = false, r.Granted
	for _, c := range contained {
		if !slices.Contains(r.Condemned, c) {
			r.Condemned = append(slices.Clone(r.Condemned), c)
		}
	}
	l.bar(r.Release, r.Number, by.Number)
}

// bar keeps a release from being submitted again.
func (l *Ledger) bar(release string, n, by Number) {
	l.Barred = remember(l.Barred, maxBarred, Barred{Release: release, Number: n, By: by})
}

// cause is a hold that a person has to end, where there is one, else another.
func cause(before, now *Hold) *Hold {
	if before != nil && before.After == 0 {
		return before
	}
	return now
}

// end takes a rollout out of those under way.
func (l *Ledger) end(n Number, result, why string) {
	l.close(*l.find(n), result, why)
	l.Open = slices.DeleteFunc(l.Open, func(o Rollout) bool { return o.Number == n })
}

// close remembers how a rollout ended.
func (l *Ledger) close(r Rollout, result, why string) {
	l.Closed = remember(l.Closed, maxClosed, Closed{Number: r.Number, Release: r.Release, Result: result, Why: why})
}
