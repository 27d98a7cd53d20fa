package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Signal is one way to steer a rollout, with all that there is to know of it. A new signal is a
// file like signal_pause.go and a line in Signals: the workflow, the command line and the docs take
// the rest from here.
type Signal struct {
	// Name is the signal's name on the wire, and the name of its command.
	Name string
	// Short, Long and Example are the help of its command.
	Short, Long, Example string
	// Effect is what the command says once the rollout has taken the signal.
	Effect string
	// NeedsReason refuses the signal without a name and a reason.
	NeedsReason bool
	// TakesStage says that it may name a stage, TakesOverride that it may pass a FAIL.
	TakesStage, TakesOverride bool
	// TakesWithin says that it may have a deadline.
	TakesWithin bool
	// ForAll says that its command can send it to every rollout that runs.
	ForAll bool
	// ForLocked says that it is for a rollout whose rollback is incomplete, and for no other, and
	// ForWayBack that it is for one that goes back. All others are for a rollout that goes forward.
	ForLocked, ForWayBack bool
	// Aim completes a request with what it means while the rollout is as it is now: it then does
	// nothing to what comes after. It may be nil: then the current stage is named.
	Aim func(s State, req *ControlRequest)
	// Refuse answers why the rollout cannot take the signal as it is now, beside what the fields
	// above say; empty if it can. It may be nil.
	Refuse func(s State, c Control) string
	// Apply changes the state as the signal asks. The workflow acts on the state.
	Apply func(s *State, c Control)
}

// Signals are those that a rollout takes, in the order in which it applies what has arrived
// together: an abort comes before everything else.
func Signals() []Signal {
	return []Signal{abort, pause, resume, approve, promote, settle, giveUp, retryRollback}
}

// About is what the signal does, with the payload that it needs: for who sends it by hand.
func (s Signal) About() string {
	if s.NeedsReason {
		return s.Short + `; needs {"by": "your name", "why": "your reason"}`
	}
	return s.Short
}

// Aimed is a request that says what it means, as far as its sender has not said so.
func (s Signal) Aimed(st State, req ControlRequest) ControlRequest {
	if s.Aim != nil {
		s.Aim(st, &req)
	} else if req.Stage == "" {
		req.Stage = st.StageName()
	}
	return req
}

// Receive applies the signal to a state, unless it is refused or has been received before, and
// keeps what came of it in the state.
func (s Signal) Receive(st *State, req ControlRequest, at time.Time) Control {
	c := Control{
		Signal: s.Name, By: PlainText(req.By), Why: PlainText(req.Why), Stage: PlainText(req.Stage),
		Override: req.Override, At: at, ID: PlainText(req.ID), Since: req.Since, within: req.Within,
	}
	if repeat := st.remember(s.Name, req.ID); repeat {
		c.Refused = "a repeat: this " + s.Name + " was received before, and acts at most once: with another id it is new"
	} else {
		c.Refused = s.Refusal(*st, c)
	}
	if c.By == "" {
		c.By = "somebody who gave no name"
	}
	if c.Refused == "" {
		s.Apply(st, c)
	}
	st.note(c)
	return c
}

// note keeps what came of a signal.
func (s *State) note(c Control) {
	s.Controls = append(s.Controls, c)
	if extra := len(s.Controls) - MaxControls; extra > 0 {
		s.Controls = slices.Delete(s.Controls, 0, extra)
	}
}

// Refusal answers why a rollout in that state does not take the signal; empty if it does.
func (s Signal) Refusal(st State, c Control) string {
	switch {
	case (s.ForLocked || s.ForWayBack && st.Lenient) && !st.waitsForPerson():
		return "there is no incomplete rollback that waits: the rollout is " + string(st.Phase)
	case s.ForWayBack && st.GaveUp != nil:
		return "given up by " + st.GaveUp.By + " already"
	case s.ForWayBack && (!st.GoingBack() || st.ended()):
		return "the rollout does not roll back: it is " + string(st.Phase)
	case s.ForLocked || s.ForWayBack:
	case st.Aborted != nil && st.Outcome == nil:
		return "too late: the rollout was aborted and rolls back"
	case st.Phase == PhaseSettle:
		return "too late: every stage has passed, and targets are told that the release is good; to go back, undo it once that is over"
	case st.GoingBack():
		return "too late: the rollout is " + string(st.Phase)
	}
	switch {
	case s.NeedsReason && !c.Signed():
		return s.Name + ` needs a name and a reason: {"by": "…", "why": "…"}`
	case s.Refuse != nil:
		return s.Refuse(st, c)
	}
	return ""
}

// maxReceived is how many ids of signals are known. A signal is sent again within seconds or
// minutes, and what it means is said beside its id.
const maxReceived = 1000

// remember notes the id of a signal, and says whether it was noted before. One id may be that of
// signals of several kinds: an abort is never taken for another's repeat.
func (s *State) remember(name, id string) bool {
	if id == "" {
		return false
	}
	sum := sha256.Sum256([]byte(name + " " + id)) // of one length, however long the id is
	key := hex.EncodeToString(sum[:8])
	if slices.Contains(s.Received, key) {
		return true
	}
	s.Received = append(s.Received, key)
	if extra := len(s.Received) - maxReceived; extra > 0 {
		s.Received = slices.Delete(s.Received, 0, extra)
	}
	return false
}

// isSince says whether what began at a time is what a sender has seen begin then: as it is, or in
// seconds, as commands print it. A sender who has seen nothing means what is.
func (c Control) isSince(began time.Time) bool {
	return c.Since.IsZero() || c.Since.Equal(began) || c.Since.Equal(began.Truncate(time.Second))
}

// GoingBack says that the rollout does not go forward any more: it is aborted, goes back, or has
// ended.
func (s State) GoingBack() bool {
	return s.Phase.GoesBack() || s.Aborted != nil || s.Outcome != nil
}

// waitsForPerson says that the rollback is incomplete, and that nobody has given up.
func (s State) waitsForPerson() bool {
	return s.Phase == PhaseLocked && s.Outcome != nil && s.GaveUp == nil
}

// ended says that nothing follows: a locked rollout has an outcome and goes on.
func (s State) ended() bool { return s.Outcome != nil && s.Phase != PhaseLocked }

// MaxText bounds each text of a signal that is kept, in bytes.
const MaxText = 500

// PlainText cuts a text of a person to MaxText, and replaces what is not text.
func PlainText(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // controls, and what turns the direction of text
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�")))
	return Clip(s, MaxText)
}

// Clip cuts a text to a number of bytes, and then says so with "…".
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
