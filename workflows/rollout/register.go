package rollout

import (
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// registry is a worker, or a test environment.
type registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register gives a worker the workflows of this package, by their names on the wire.
func Register(w registry) { register(w, rollout.Signals()) }

// register does so for a rollout that takes the given signals.
func register(w registry, signals []rollout.Signal) {
	steered := func(ctx workflow.Context, sub Submission) (rollout.State, error) { return execute(ctx, sub, signals) }
	w.RegisterWorkflowWithOptions(steered, workflow.RegisterOptions{Name: connect.WorkflowType})
	w.RegisterWorkflowWithOptions(Notify, workflow.RegisterOptions{Name: connect.NotifyType})
}
