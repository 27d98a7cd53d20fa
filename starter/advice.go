package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/rollout"
)

// advice is what to type instead of a signal that had no effect.
func advice(v view, c rollout.Control) string {
	look := "to see what it does: sluice status " + v.Unit
	s := v.State
	if s == nil {
		return look
	}
	switch {
	case s.Aborted != nil:
		return s.Aborted.By + " aborted it already, and it is rolling back; to follow it: sluice watch " + v.Unit
	case s.Phase.GoesBack():
		return "it is rolling back already; to follow it: sluice watch " + v.Unit
	case c.Signal == rollout.SignalApprove && s.Phase == rollout.PhaseHold && c.Stage == "":
		return fmt.Sprintf(`it holds because some check has no verdict; to pass it: sluice promote %s --why "…"`, v.Unit)
	case c.Signal == rollout.SignalApprove:
		return approvals(v.Unit, *s, c.Stage)
	case c.Signal == rollout.SignalPromote && s.Phase == rollout.PhaseApproval:
		return "it waits for approval; to give it: sluice approve " + v.Unit
	case (c.Signal == rollout.SignalPromote || c.Signal == rollout.SignalPause) && s.Paused != nil:
		return "to go on: sluice resume " + v.Unit
	}
	return look
}

// approvals says which stages could have been meant by an approval of one.
func approvals(unit string, s rollout.State, stage string) string {
	var all, open []string
	given := ""
	for _, st := range s.Stages {
		all = append(all, st.Name)
		switch {
		case st.Approval == "":
		case st.ApprovedBy == nil:
			open = append(open, st.Name)
		case st.Name == stage:
			return stage + " was approved by " + st.ApprovedBy.By + " already"
		default:
			given = st.Name + " was approved by " + st.ApprovedBy.By + " already"
		}
	}
	known := stage == "" || slices.Contains(all, stage)
	if len(open) == 0 && given != "" && !known {
		return "its stages are " + strings.Join(all, ", ") + "; " + given + ", and no other needs approval"
	}
	if len(open) == 0 && given != "" && stage == "" {
		return given + ", and no other of its stages needs approval"
	}
	if len(open) == 0 {
		return "none of its stages (" + strings.Join(all, ", ") + ") needs approval"
	}
	verb := " needs"
	if len(open) > 1 {
		verb = " need"
	}
	text := strings.Join(open, ", ") + verb + " approval: sluice approve " + unit + " --stage " + open[0]
	if !known {
		text = "its stages are " + strings.Join(all, ", ") + "; " + text
	}
	return text
}

// afterwards is what to do after a rollout was refused; empty where there is nothing, or where the
// rollout itself says it.
func afterwards(v view) string {
	o := v.outcome()
	if o == nil || o.Result != rollout.PhaseRefused || v.State.Preflight == nil || v.State.Preflight.Decision == rollout.Promote {
		return ""
	}
	if o.Reason == rollout.RefusedUnjudged {
		return "Correct the check, or bring back what it asks, and start again."
	}
	return `Repair that first. If this release is the repair: sluice start SPEC --override --why "…"`
}
