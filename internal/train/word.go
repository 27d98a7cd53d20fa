package train

import (
	"cmp"
	"fmt"
	"slices"
)

// Word is the state of a rollout in words.
func (r Rollout) Word() string {
	switch {
	case r.State == Lost:
		return "ended by hand"
	case r.State == Back:
		return "goes back"
	case r.WithdrawnBy != 0:
		return fmt.Sprintf("withdrawn with %d", r.WithdrawnBy)
	case r.State == Superseded:
		return fmt.Sprintf("superseded by %d", r.SupersededBy)
	case r.State == Guarding, r.State == Queued:
		return string(r.State)
	case r.Wants:
		return "waiting"
	case r.Granted > r.Passed:
		return fmt.Sprintf("in stage %d", r.Granted)
	}
	return "preparing"
}

// InStage is the mark of a stage that a rollout is in.
const InStage = "in it"

// Mark is where a rollout stands with a stage, by its index: passed, in it, waits for it, taken
// back, left by one that was ended by hand, or still to come; empty if it has no such stage.
func (r Rollout) Mark(i int) string {
	switch {
	case r.Stages > 0 && i >= r.Stages:
		return ""
	case i < r.Granted && r.State == Lost:
		return "left"
	case i < r.Granted && (r.State == Back || r.WithdrawnBy != 0):
		return "↩"
	case i < r.Passed:
		return "✓"
	case r.State != Going || r.WithdrawnBy != 0 || i > r.Passed:
		return "·"
	case i < r.Granted:
		return InStage
	case r.Wants || r.Reserved > r.Granted:
		return "waits"
	}
	return "·"
}

// Ended are the newest n rollouts that have ended, the youngest first.
func (l Ledger) Ended(n int) []Closed {
	out := slices.Clone(l.Closed[max(0, len(l.Closed)-n):])
	slices.SortStableFunc(out, func(a, b Closed) int { return cmp.Compare(b.Number, a.Number) })
	return out
}

// Word is the state of the train in a word, for an index: a person is needed for one that is ended
// by hand.
func (l Ledger) Word() string {
	back := l.goesBack()
	switch {
	case back != nil && back.State == Lost:
		return "ended-by-hand"
	case back != nil:
		return "rolling-back"
	case l.Hold != nil:
		return "held"
	case len(l.Open) == 0:
		return "idle"
	}
	return "running"
}
