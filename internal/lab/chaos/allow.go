package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/rollout"
)

// How long targets or a source may be away before a rollout may end otherwise for it.
const (
	// forgiven is how long targets may be silent: three looks in a row, each of three attempts half
	// a second apart, are harm, and less than that never is.
	forgiven = 2500 * time.Millisecond
	// blind is how long a Prometheus that is up again may take to read its first page.
	blind = 6 * time.Second
)

// allowed answers why a rollout may have ended otherwise than without kills; empty if nothing
// explains it. What is never allowed: a promotion instead of anything else, and an end that changed
// something without a fault that lasted.
func (e evidence) allowed() string {
	result, why := e.state.Outcome.Result, e.state.Outcome.Why
	if result == rollout.PhasePromoted || result == rollout.PhaseUndone {
		return ""
	}
	for _, h := range e.hits {
		if h.at.After(e.state.Outcome.EndedAt) {
			continue
		}
		down := h.down().Round(10 * time.Millisecond)
		switch {
		case h.victim == aborts && (result == rollout.PhaseAborted || result == rollout.PhaseIncomplete):
			return fmt.Sprintf("somebody sent abort and give-up, in %s", h.real)
		case result == rollout.PhaseAborted: // only a person aborts
		case h.victim == reset && strings.Contains(why, "was reset"):
			return fmt.Sprintf("the workflow was reset, in %s", h.real)
		case h.victim == restart && (result != rollout.PhaseRolledBack || strings.Contains(why, "rolled back before anything else")):
			return fmt.Sprintf("the workflow was terminated, in %s, and what it had changed did not come back at once", h.real)
		case h.victim == restored && (strings.Contains(why, "restored") || result == rollout.PhaseIncomplete):
			return fmt.Sprintf("the database was restored to some seconds before, in %s", h.real)
		case h.victim.process() == fleet && h.down() >= forgiven:
			return fmt.Sprintf("the targets were away for %s, in %s", down, h.real)
		case h.victim == source && h.down() >= e.trial.scenario.patience():
			return fmt.Sprintf("the source was away for %s, in %s", down, h.real)
		case h.victim == source && unmeasured(e) && e.timeline.touches(observe, h.at, h.up.Add(blind)):
			return fmt.Sprintf("the source was away for %s while a stage was measured before its change", down)
		}
	}
	return ""
}

// patience is for how long a stage of this scenario waits for a verdict.
func (s scenario) patience() time.Duration {
	if s.decideWithin > 0 {
		return s.decideWithin
	}
	return decideWithin
}

// unmeasured says that the rollout gave up for lack of numbers from before a stage.
func unmeasured(e evidence) bool {
	why := e.state.Outcome.Why
	return strings.Contains(why, "no verdict") &&
		(strings.Contains(why, "before the stage is unknown") || strings.Contains(why, "nothing to compare with"))
}
