package rollout

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/rollout"
)

// control applies one signal and keeps what came of it.
func (r *run) control(signal string, req rollout.ControlRequest) {
	c := rollout.Control{
		Signal: signal, By: rollout.PlainText(req.By), Why: rollout.PlainText(req.Why), Stage: rollout.PlainText(req.Stage),
		Override: req.Override, At: workflow.Now(r.base),
	}
	c.Refused = r.refusal(c)
	if c.By == "" {
		c.By = "somebody who gave no name"
	}
	switch {
	case c.Refused != "":
	case signal == rollout.SignalAbort:
		r.aborted = &c
		r.abort()
	case signal == rollout.SignalPause:
		r.state.Paused = &c
	case signal == rollout.SignalResume:
		r.state.Paused = nil
	case signal == rollout.SignalPromote:
		r.override = &c
	case signal == rollout.SignalApprove:
		r.state.Stages[r.approvable(c.Stage)].ApprovedBy = &c
	case signal == rollout.SignalRetry:
		r.retry = true
	case signal == rollout.SignalGiveUp:
		r.gaveUp = &c
	}
	r.state.Controls = append(r.state.Controls, c)
	if extra := len(r.state.Controls) - rollout.MaxControls; extra > 0 {
		r.state.Controls = slices.Delete(r.state.Controls, 0, extra)
	}
	r.publish()
}

// refusal answers why a signal has no effect now; empty if it has.
func (r *run) refusal(c rollout.Control) string {
	if c.Signal == rollout.SignalRetry || c.Signal == rollout.SignalGiveUp {
		return r.unlockable(c)
	}
	if r.aborted != nil || r.state.Outcome != nil || r.back != nil {
		return "too late: the rollout is " + string(r.state.Phase)
	}
	switch c.Signal {
	case rollout.SignalPause:
		if r.state.Paused != nil {
			return "already paused by " + r.state.Paused.By
		}
	case rollout.SignalResume:
		if r.state.Paused == nil {
			return "not paused"
		}
	case rollout.SignalApprove:
		if r.approvable(c.Stage) < 0 {
			return r.noApproval(c.Stage)
		}
	case rollout.SignalPromote:
		return r.promotable(c)
	}
	return ""
}

// promotable answers why a promote has no effect now.
func (r *run) promotable(c rollout.Control) string {
	switch {
	case !c.Signed():
		return `promote needs a name and a reason: {"by": "…", "why": "…"}`
	case r.state.Paused != nil:
		return "the rollout is paused: resume it first"
	case r.state.Phase != rollout.PhaseBake && r.state.Phase != rollout.PhaseHold && r.state.Phase != rollout.PhaseGate:
		return fmt.Sprintf("there is no gate to pass while %s", r.state.Phase)
	case c.Stage != "" && c.Stage != r.state.Stages[r.state.Stage].Name:
		return fmt.Sprintf("it is for stage %s, and the current stage is %s", c.Stage, r.state.Stages[r.state.Stage].Name)
	}
	return ""
}

// unlockable answers why a signal for a locked rollout has no effect now.
func (r *run) unlockable(c rollout.Control) string {
	switch {
	case r.state.Phase != rollout.PhaseLocked || r.gaveUp != nil:
		return "there is no incomplete rollback that waits: the rollout is " + string(r.state.Phase)
	case c.Signal == rollout.SignalGiveUp && !c.Signed():
		return `give-up needs a name and a reason: {"by": "…", "why": "…"}`
	}
	return ""
}

// approvable is the index of the named stage if it still needs approval or, with
// no name, of the one that waits for it; -1 if there is none.
func (r *run) approvable(name string) int {
	if name == "" && r.state.Phase != rollout.PhaseApproval {
		return -1
	}
	return slices.IndexFunc(r.state.Stages, func(s rollout.StageState) bool {
		return s.Approval != "" && s.ApprovedBy == nil && (name == "" || name == s.Name)
	})
}

func (r *run) noApproval(name string) string {
	if name == "" {
		return "no stage waits for approval now; name one to approve it ahead"
	}
	return fmt.Sprintf("no stage %q needs approval", name)
}
