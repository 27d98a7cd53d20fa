package train

import "fmt"

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

// Word is the state of the train in a word, for an index: a person is needed for one that is ended by hand.
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
