package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/connect"
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
		return usagef("--unit %q is not a unit's name, expected lower-case letters, digits, '.', '_' and '-', such as edge-proxy", f.unit)
	}
	if err := knownWord("phase", f.phase, phases()); err != nil {
		return err
	}
	return knownWord("outcome", f.outcome, results())
}

var unitForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// knownWord checks a flag's value if there is one.
func knownWord(flag, word string, known []string) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	return usagef("--%s %q is unknown, expected one of %s%s", flag, word, strings.Join(known, ", "), suggestion(word, known, ""))
}

// query is the filter in Temporal's language.
func (f listFilter) query() string {
	// A run that continued as new is one rollout with the run that went on.
	parts := []string{"WorkflowType = " + quoted(connect.WorkflowType), "ExecutionStatus != 'ContinuedAsNew'"}
	if f.open || f.phase == phasePaused {
		parts = append(parts, "ExecutionStatus = 'Running'")
	}
	for _, p := range []struct{ name, value string }{
		{connect.AttrUnit.GetName(), f.unit}, {connect.AttrPhase.GetName(), indexed(f.phase)}, {connect.AttrOutcome.GetName(), f.outcome},
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
