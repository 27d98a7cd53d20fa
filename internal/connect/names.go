package connect

import (
	"strings"

	"go.temporal.io/sdk/temporal"
)

const (
	// TaskQueue is where workers and rollouts meet.
	TaskQueue = "sluice"
	// RollbackQueue is where batches are taken back: a way back never waits for a
	// slot that a watch or an apply holds.
	RollbackQueue = "sluice-rollback"
	// WorkflowType is the name of the rollout's workflow.
	WorkflowType = "Rollout"
	// NotifyType is the name of the workflow that tells a receiver of an event.
	NotifyType = "Notify"
	// workflowIDPrefix makes one rollout per unit: the id of a running workflow is
	// unique in its namespace.
	workflowIDPrefix = "rollout:"
)

// WorkflowID is the id of a unit's rollout.
func WorkflowID(unit string) string { return workflowIDPrefix + unit }

// UnitOf is the unit of a rollout's workflow id; false when it is another's id.
func UnitOf(workflowID string) (string, bool) {
	return strings.CutPrefix(workflowID, workflowIDPrefix)
}

// The search attributes of a rollout. All are keywords; a namespace must have
// them before a rollout can start there.
var (
	AttrUnit    = temporal.NewSearchAttributeKeyKeyword("SluiceUnit")
	AttrRelease = temporal.NewSearchAttributeKeyKeyword("SluiceRelease")
	// AttrStage is the name of the current stage.
	AttrStage = temporal.NewSearchAttributeKeyKeyword("SluiceStage")
	// AttrPhase is "running", what the rollout waits for, or its result.
	AttrPhase = temporal.NewSearchAttributeKeyKeyword("SluicePhase")
	// AttrOutcome is the rollout's result; absent while it runs.
	AttrOutcome = temporal.NewSearchAttributeKeyKeyword("SluiceOutcome")
)

// Attributes are the names of all search attributes.
func Attributes() []string {
	return []string{AttrUnit.GetName(), AttrRelease.GetName(), AttrStage.GetName(), AttrPhase.GetName(), AttrOutcome.GetName()}
}

// CreateAttributes is the command that gives a namespace its search attributes.
func CreateAttributes(namespace string) string {
	var b strings.Builder
	b.WriteString("temporal operator search-attribute create --namespace " + namespace)
	for _, name := range Attributes() {
		b.WriteString(" --name " + name + " --type Keyword")
	}
	return b.String()
}
