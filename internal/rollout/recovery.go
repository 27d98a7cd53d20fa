package rollout

import (
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/health"
)

// What an outcome says of the checks after a rollback.
const (
	RecoveredYes     = "yes"
	RecoveredNo      = "no"
	RecoveredUnknown = "unknown"
)

// Recover notes whether a rollback has cured, by the newest look after it. The checks that
// condemned the release tell that, whatever the others say. With no names all checks tell.
func (o *Outcome) Recover(condemned []string, after health.Report) {
	o.Condemned, o.Recovery = condemned, &after
	switch after.Of(condemned).Verdict() {
	case health.Pass:
		o.Recovered = RecoveredYes
	case health.Fail:
		o.Recovered = RecoveredNo
	default:
		o.Recovered = RecoveredUnknown
	}
}

// RecoveredWord says in words whether the rollback has cured, and which checks fail after it though
// they did not condemn the release. It is empty when nobody asked.
func (o Outcome) RecoveredWord() string {
	who := strings.Join(o.Condemned, ", ")
	if who == "" {
		who = "the checks"
	}
	var after health.Report
	if o.Recovery != nil {
		after = *o.Recovery
	}
	var word string
	switch o.Recovered {
	case "":
		return ""
	case RecoveredYes:
		word = who + " recovered after the rollback"
	case RecoveredNo:
		word = who + " did NOT recover after the rollback: the change was probably not the cause"
	default:
		word = "whether " + who + " recovered after the rollback is not known"
		if o.Recovery != nil {
			part := after.Of(o.Condemned)
			word += ": " + Evidence(part, part.Verdict())
		}
	}
	for _, name := range FailedChecks(after) {
		if o.Recovered != RecoveredNo && len(o.Condemned) > 0 && !slices.Contains(o.Condemned, name) {
			part := after.Of([]string{name})
			word += "; another check fails now: " + Evidence(part, health.Fail)
		}
	}
	return word
}
