package connect

import (
	"fmt"
	"regexp"
	"strings"

	"go.temporal.io/sdk/temporal"
)

const (
	// TaskQueue is where workers and rollouts meet, where a namespace has one deployment of Sluice.
	TaskQueue = "sluice"
	// WorkflowType is the name of the rollout's workflow.
	WorkflowType = "Rollout"
	// NotifyType is the name of the workflow that tells a receiver of an event.
	NotifyType = "Notify"
	// TrainType is the name of the workflow that orders the rollouts of a unit.
	TrainType = "Train"
	// SignalStanding tells a rollout where it stands in its train.
	SignalStanding = "standing"
	// SignalReport tells a train how a rollout stands.
	SignalReport = "report"
	// SignalHold keeps the rollouts of a train from entering stages, for a person.
	SignalHold = "hold"
	// SignalRelease ends a hold.
	SignalRelease = "release"
	// SignalTakeBack has a train take back what a rollout has left that was ended by hand.
	SignalTakeBack = "take-back"
	// UpdateSubmit gives a release a place in a train.
	UpdateSubmit = "submit"
	// QueryState asks a train for all that it knows.
	QueryState = "state"
	// QueryLedger asks a train for its ledger.
	QueryLedger = "ledger"
	// workflowIDPrefix makes one rollout per unit: the id of a running workflow is unique in its
	// namespace.
	workflowIDPrefix = "rollout:"
)

// Deployment is the name of one Sluice among several in a namespace, such as "payments"; empty for
// the only one. Its task queues and the ids of its rollouts carry the name, so that no worker takes
// what is another's: its store, its secrets and its way to the targets differ.
type Deployment string

var deploymentForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Check says what is wrong with the name.
func (d Deployment) Check() error {
	if d != "" && !deploymentForm.MatchString(string(d)) {
		return fmt.Errorf("the deployment %q is no name, expected 1 to 32 lower-case letters, digits and '-'", string(d))
	}
	return nil
}

// TaskQueue is where its workers and rollouts meet: "sluice", or "sluice:payments".
func (d Deployment) TaskQueue() string {
	if d == "" {
		return TaskQueue
	}
	return TaskQueue + ":" + string(d)
}

// RollbackQueue is where its batches are taken back: a way back never waits for a slot that a watch
// or an apply holds.
func (d Deployment) RollbackQueue() string { return RollbackQueueOf(d.TaskQueue()) }

// RollbackQueueOf is the queue of the way back beside a task queue.
func RollbackQueueOf(taskQueue string) string { return taskQueue + "-rollback" }

// DeploymentOf is whose task queue it is.
func DeploymentOf(taskQueue string) Deployment {
	_, name, _ := strings.Cut(taskQueue, ":")
	return Deployment(name)
}

// WorkflowID is the id of a unit's rollout: "rollout:edge", or "payments/rollout:edge".
func (d Deployment) WorkflowID(unit string) string { return d.prefix() + unit }

// RolloutID is the id of a rollout in a train: "rollout:edge:3".
func (d Deployment) RolloutID(unit string, number int64) string {
	return fmt.Sprintf("%s:%d", d.WorkflowID(unit), number)
}

// TrainID is the id of a unit's train: "train:edge", or "payments/train:edge".
func (d Deployment) TrainID(unit string) string {
	return strings.TrimSuffix(d.prefix(), workflowIDPrefix) + "train:" + unit
}

// Open is a filter, in Temporal's language, for its rollouts that run, in a phase under which the
// index has them.
func (d Deployment) Open(phase string) string {
	return fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s' AND ExecutionStatus = 'Running' AND %s = '%s'",
		WorkflowType, d.TaskQueue(), AttrPhase.GetName(), phase)
}

// UnitOf is the unit of a rollout's workflow id; false when it is another's id.
func (d Deployment) UnitOf(workflowID string) (string, bool) {
	return strings.CutPrefix(workflowID, d.prefix())
}

func (d Deployment) prefix() string {
	if d == "" {
		return workflowIDPrefix
	}
	return string(d) + "/" + workflowIDPrefix
}

// WorkflowID is the id of a unit's rollout where a namespace has one deployment.
func WorkflowID(unit string) string { return Deployment("").WorkflowID(unit) }

// The search attributes of a rollout, and of a train. All are keywords; a namespace must have them
// before a rollout can start there.
var (
	AttrUnit    = temporal.NewSearchAttributeKeyKeyword("SluiceUnit")
	AttrRelease = temporal.NewSearchAttributeKeyKeyword("SluiceRelease")
	// AttrStage is the name of the current stage.
	AttrStage = temporal.NewSearchAttributeKeyKeyword("SluiceStage")
	// AttrPhase is "running", what the rollout waits for, or its result; of a train, its state in a
	// word.
	AttrPhase = temporal.NewSearchAttributeKeyKeyword("SluicePhase")
	// AttrOutcome is the rollout's result; absent while it runs.
	AttrOutcome = temporal.NewSearchAttributeKeyKeyword("SluiceOutcome")
	// AttrNumber is a rollout's number in the train of its unit, and a train's newest number;
	// absent outside of trains.
	AttrNumber = temporal.NewSearchAttributeKeyKeyword("SluiceNumber")
)

// Attributes are the names of all search attributes.
func Attributes() []string {
	return []string{
		AttrUnit.GetName(), AttrRelease.GetName(), AttrStage.GetName(),
		AttrPhase.GetName(), AttrOutcome.GetName(), AttrNumber.GetName(),
	}
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
