package rollout

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.temporal.io/sdk/workflow"
)

// control applies one signal and keeps what came of it.
func (r *rollout) control(signal string, req ControlRequest) {
	c := Control{
		Signal: signal, By: bounded(req.By), Why: bounded(req.Why), Stage: bounded(req.Stage),
		Override: req.Override, At: workflow.Now(r.base),
	}
	c.Refused = r.refusal(c)
	if c.By == "" {
		c.By = "somebody who gave no name"
	}
	switch {
	case c.Refused != "":
	case signal == SignalAbort:
		r.aborted = &c
		r.abort()
	case signal == SignalPause:
		r.state.Paused = &c
	case signal == SignalResume:
		r.state.Paused = nil
	case signal == SignalPromote:
		r.override = &c
	case signal == SignalApprove:
		r.state.Stages[r.approvable(c.Stage)].ApprovedBy = &c
	case signal == SignalRetry:
		r.retry = true
	case signal == SignalGiveUp:
		r.gaveUp = &c
	}
	r.state.Controls = append(r.state.Controls, c)
	if extra := len(r.state.Controls) - maxControls; extra > 0 {
		r.state.Controls = slices.Delete(r.state.Controls, 0, extra)
	}
	r.publish()
}

// maxControls bounds how many signals are remembered.
const maxControls = 50

// refusal answers why a signal has no effect now; empty if it has.
func (r *rollout) refusal(c Control) string {
	if c.Signal == SignalRetry || c.Signal == SignalGiveUp {
		return r.unlockable(c)
	}
	if r.aborted != nil || r.state.Outcome != nil || r.back != nil {
		return "too late: the rollout is " + string(r.state.Phase)
	}
	switch c.Signal {
	case SignalPause:
		if r.state.Paused != nil {
			return "already paused by " + r.state.Paused.By
		}
	case SignalResume:
		if r.state.Paused == nil {
			return "not paused"
		}
	case SignalApprove:
		if r.approvable(c.Stage) < 0 {
			return r.noApproval(c.Stage)
		}
	case SignalPromote:
		return r.promotable(c)
	}
	return ""
}

// promotable answers why a promote has no effect now.
func (r *rollout) promotable(c Control) string {
	switch {
	case !c.worded():
		return `promote needs a name and a reason: {"by": "…", "why": "…"}`
	case r.state.Paused != nil:
		return "the rollout is paused: resume it first"
	case r.state.Phase != PhaseBake && r.state.Phase != PhaseHold && r.state.Phase != PhaseGate:
		return fmt.Sprintf("there is no gate to pass while %s", r.state.Phase)
	case c.Stage != "" && c.Stage != r.state.Stages[r.state.Stage].Name:
		return fmt.Sprintf("it is for stage %s, and the current stage is %s", c.Stage, r.state.Stages[r.state.Stage].Name)
	}
	return ""
}

// worded says that a person has given a name and a reason in words.
func (c Control) worded() bool {
	return strings.ContainsFunc(c.By, unicode.IsLetter) && strings.ContainsFunc(c.Why, unicode.IsLetter)
}

// unlockable answers why a signal for a locked rollout has no effect now.
func (r *rollout) unlockable(c Control) string {
	switch {
	case r.state.Phase != PhaseLocked || r.gaveUp != nil:
		return "there is no incomplete rollback that waits: the rollout is " + string(r.state.Phase)
	case c.Signal == SignalGiveUp && !c.worded():
		return `give-up needs a name and a reason: {"by": "…", "why": "…"}`
	}
	return ""
}

// approvable is the index of the named stage if it still needs approval or, with
// no name, of the one that waits for it; -1 if there is none.
func (r *rollout) approvable(name string) int {
	if name == "" && r.state.Phase != PhaseApproval {
		return -1
	}
	return slices.IndexFunc(r.state.Stages, func(s StageState) bool {
		return s.Approval != "" && s.ApprovedBy == nil && (name == "" || name == s.Name)
	})
}

func (r *rollout) noApproval(name string) string {
	if name == "" {
		return "no stage waits for approval now; name one to approve it ahead"
	}
	return fmt.Sprintf("no stage %q needs approval", name)
}

// MaxText bounds each text of a signal that is kept, in bytes.
const MaxText = 500

// bounded cuts a text, and takes out of it what is not text.
func bounded(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // controls, and what turns the direction of text
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�")))
	if len(s) <= MaxText {
		return s
	}
	cut := MaxText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
