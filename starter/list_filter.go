package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// listFilter says which rollouts to list.
type listFilter struct {
	open                 bool
	unit, phase, outcome string
	limit                int
	// unasked lists what the index knows, and asks no rollout.
	unasked bool
}

// check refuses words that no rollout can have.
func (f listFilter) check() error {
	switch {
	case f.limit < 1 || f.limit > 1000:
		return usagef("--limit is %d, expected 1 to 1000", f.limit)
	case f.unit != "" && !unitForm.MatchString(f.unit):
		return usagef("--unit %q is not a unit's name, expected lower-case letters, digits, '.', '_' and '-', "+
			"such as edge-proxy, or edge-proxy:3 in a train", f.unit)
	}
	if err := knownWord("phase", f.phase, phases()); err != nil {
		return err
	}
	return knownWord("outcome", f.outcome, results())
}

var unitForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*(:[1-9][0-9]*)?$`)

// knownWord checks a flag's value if there is one.
func knownWord(flag, word string, known []string) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	return usagef("--%s %q is unknown, expected one of %s%s", flag, word, strings.Join(known, ", "), suggestion(word, known, ""))
}

// query is the filter in Temporal's language.
func (f listFilter) query(of connect.Deployment) string {
	// A run that continued as new is one rollout with the run that went on.
	parts := []string{
		"WorkflowType = " + quoted(connect.WorkflowType),
		"TaskQueue = " + quoted(of.TaskQueue()),
		"ExecutionStatus != 'ContinuedAsNew'",
	}
	if f.open || f.phase == phasePaused {
		parts = append(parts, "ExecutionStatus = 'Running'")
	}
	unit := f.unit
	if strings.Contains(unit, ":") {
		parts, unit = append(parts, "WorkflowId = "+quoted(of.WorkflowID(unit))), ""
	}
	for _, p := range []struct{ name, value string }{
		{connect.AttrUnit.GetName(), unit}, {connect.AttrPhase.GetName(), f.indexed()}, {connect.AttrOutcome.GetName(), f.outcome},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" = "+quoted(p.value))
		}
	}
	return strings.Join(parts, " AND ")
}

// quoted is a string literal of Temporal's list filters.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// phasePaused is what --phase calls a rollout whose promotion was stopped, in whatever phase it is.
const phasePaused = "paused"

// phases are the words that --phase knows.
func phases() []string {
	running := words(
		rollout.PhasePlanning, rollout.PhasePrepare, rollout.PhasePreflight, rollout.PhaseApproval, rollout.PhaseTurn,
		rollout.PhaseObserve, rollout.PhaseApply, rollout.PhaseDrill, rollout.PhaseBake, rollout.PhaseGate,
		rollout.PhaseGuard, rollout.PhaseSettle, rollout.PhaseHold, rollout.PhaseRollback, rollout.PhaseVerify,
		rollout.PhaseLocked, phasePaused, rollout.PhaseIndexed,
	)
	return append(running, results()...)
}

// results are the words that --outcome knows.
func results() []string {
	return words(
		rollout.PhasePromoted, rollout.PhaseRolledBack, rollout.PhaseAborted, rollout.PhaseIncomplete,
		rollout.PhaseRefused, rollout.PhaseUndone, rollout.PhaseSuperseded, rollout.PhaseWithdrawn,
	)
}

func words(phases ...rollout.Phase) []string {
	out := make([]string, len(phases))
	for i, p := range phases {
		out[i] = string(p)
	}
	return out
}

// indexed is the phase under which the index has what is asked for; empty where that may be any.
func (f listFilter) indexed() string {
	if f.phase == phasePaused {
		return ""
	}
	return string(rollout.Phase(f.phase).Indexed())
}

// needsAnswers says that the index does not know the phase that is asked for, such as baking: only
// the rollouts do.
func (f listFilter) needsAnswers() bool { return f.phase != f.indexed() }

// holds says whether a rollout is in the phase that is asked for.
func (f listFilter) holds(l listed) bool {
	switch f.phase {
	case "", string(rollout.PhaseIndexed):
		return true
	case phasePaused:
		return l.paused() != nil
	case string(rollout.PhaseRollback): // looking whether that cured it is a part of it
		return l.Phase == f.phase || l.Phase == string(rollout.PhaseVerify)
	}
	return l.Phase == f.phase
}
