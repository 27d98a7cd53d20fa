package main

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Exit codes, for scripts and CI.
const (
	exitOK         = 0
	exitInternal   = 1
	exitInvalid    = 2
	exitRolledBack = 3
	exitAborted    = 4
	exitIncomplete = 5
	exitRefused    = 6
	exitRunning    = 7
	// exitSuperseded: a newer release goes on in its place.
	exitSuperseded = 8
)

// exitError is an error with its exit code.
type exitError struct {
	code int
	err  error
	// reason is why something is refused, in a word for scripts; empty for other codes.
	reason string
	// problems are single findings, each with its position.
	problems strictyaml.Problems
	// usage asks to point at the help, of command if there is one.
	usage   bool
	command string
}

// Error is the message without the problems.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap is the cause.
func (e *exitError) Unwrap() error { return e.err }

// usagef is for a command line that cannot be meant.
func usagef(format string, args ...any) error {
	return &exitError{code: exitInvalid, err: fmt.Errorf(format, args...), usage: true}
}

// invalidf is for input that is wrong although the command line is right.
func invalidf(format string, args ...any) error {
	return &exitError{code: exitInvalid, err: fmt.Errorf(format, args...)}
}

// Reasons of a refusal. Those of a rollout that was refused stand in its outcome.
const (
	reasonLocked     = "locked"
	reasonNotLocked  = "not-locked"
	reasonGoingBack  = "going-back"
	reasonRunning    = "already-running"
	reasonSame       = "same-rollout"
	reasonNotRunning = "not-running"
	reasonNoEffect   = "no-effect"
	reasonNoAnswer   = "no-answer"
	reasonUndone     = "undone"
	reasonNothing    = "nothing-to-undo"
	reasonBarred     = "taken-back-before"
	// reasonNotConfirmed: nobody at the terminal has said yes.
	reasonNotConfirmed = "not-confirmed"
)

// refusedf is for what may not be done now.
func refusedf(reason, format string, args ...any) error {
	return &exitError{code: exitRefused, reason: reason, err: fmt.Errorf(format, args...)}
}

// runningf is for a rollout that goes on while nobody looks.
func runningf(format string, args ...any) error {
	return &exitError{code: exitRunning, err: fmt.Errorf(format, args...)}
}

// ended is the error of a command that has said everything and only has an exit code left to give;
// nil when that is 0.
func ended(code int) error {
	if code == exitOK {
		return nil
	}
	return endedError(code)
}

type endedError int

// Error is never shown.
func (e endedError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// resultCode is the exit code of a rollout's result.
func resultCode(result rollout.Phase) int {
	switch result {
	case rollout.PhasePromoted, rollout.PhaseUndone:
		return exitOK
	case rollout.PhaseSuperseded:
		return exitSuperseded
	case rollout.PhaseRolledBack, rollout.PhaseWithdrawn:
		return exitRolledBack
	case rollout.PhaseAborted:
		return exitAborted
	case rollout.PhaseIncomplete:
		return exitIncomplete
	case rollout.PhaseRefused:
		return exitRefused
	}
	return exitInternal
}
