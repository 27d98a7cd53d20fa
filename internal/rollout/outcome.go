package rollout

import (
	"time"

	"github.com/sluicehq/sluice/internal/health"
)

// Outcome is how a rollout ended.
type Outcome struct {
	// Result is one of the phases in which a rollout ends.
	Result Phase  `json:"result"`
	Why    string `json:"why"`
	// Reason is the word for why a rollout was refused; empty for other results.
	Reason string `json:"reason,omitempty"`
	// Stage is the name of the stage where it was decided.
	Stage string `json:"stage,omitempty"`
	// Touched is how many targets the rollout changed, or may have; Reverted how many of them were
	// put back and seen to be back.
	Touched  int `json:"touched"`
	Reverted int `json:"reverted"`
	// Older is how many targets an older rollout of the train puts back, since it was condemned,
	// too.
	Older int `json:"older,omitempty"`
	// Back counts the reverted targets by the release that they run again; nil in outcomes of
	// v0.1.0.
	Back []Back `json:"back,omitempty"`
	// NotReverted names the targets that were touched and are not known to be on their previous
	// release, with the reason, as many as a payload holds. A batch whose activity never answered
	// is one entry, for example "revert targets 1-500 of early". NotBack is how many targets there
	// are in all.
	NotReverted []TargetTrouble `json:"notReverted,omitempty"`
	NotBack     int             `json:"notBack,omitempty"`
	// GaveUp is who ended a rollback that is incomplete; nil if nobody did.
	GaveUp *Control `json:"gaveUp,omitempty"`
	// Unreached names the targets that a rollout left out, as many as a payload holds: they did not
	// answer, and nobody knows what they run. LeftOut is how many there are.
	Unreached []TargetTrouble `json:"unreached,omitempty"`
	LeftOut   int             `json:"leftOut,omitempty"`
	// Troubled names the targets that were not ready before the first stage, or, of a promoted
	// release, those that have not heard that it is good, with the reason, as many as a payload
	// holds.
	Troubled []TargetTrouble `json:"troubled,omitempty"`
	// Recovered says whether the checks that condemned the release recovered after the rollback:
	// "yes", "no" (the change was probably not the cause), "unknown" or empty when nobody asked.
	// Condemned names these checks.
	Recovered string   `json:"recovered,omitempty"`
	Condemned []string `json:"condemned,omitempty"`
	// Suspects are this release and those that it may have woken, the likeliest first; nil where
	// the spec names none.
	Suspects []Suspect `json:"suspects,omitempty"`
	// Recovery is the evidence for Recovered.
	Recovery *health.Report `json:"recovery,omitempty"`
	EndedAt  time.Time      `json:"endedAt"`
}

// Reasons of a refusal: the fleet is not healthy before the change, nobody can judge it, the
// release or the spec is not valid, targets cannot be changed safely, nobody has approved in time,
// the workflow is not its unit's, what is to be undone is not known any more, what earlier runs
// have left is not known or not this one's.
const (
	RefusedUnhealthy  = "refused-unhealthy"
	RefusedUnjudged   = "refused-unjudged"
	RefusedRelease    = "refused-release"
	RefusedSpec       = "refused-spec"
	RefusedTargets    = "refused-targets"
	RefusedUnapproved = "refused-unapproved"
	RefusedWorkflow   = "refused-workflow"
	RefusedUndo       = "refused-undo"
	RefusedEarlier    = "refused-earlier"
)

// TargetTrouble names a target and what went wrong with it.
type TargetTrouble struct {
	ID     string `json:"id"`
	Reason string `json:"reason,omitempty"`
}

// TroubledWord is what is wrong with the Troubled.
func (o Outcome) TroubledWord() string {
	if o.Result == PhasePromoted {
		return "not told that it is good"
	}
	return "not ready"
}

// How much of a rollout's past a state keeps.
const (
	// MaxControls is how many signals are kept.
	MaxControls = 50
	// MaxGates is how many decisions of a stage are kept.
	MaxGates = 20
)
