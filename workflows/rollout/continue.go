package rollout

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// Carried is all that a rollout knows. It takes it along when it continues as new because its
// history has grown long.
type Carried struct {
	State   rollout.State      `json:"state"`
	Planned activities.Planned `json:"planned"`
	// Touched are the batches with targets that the rollout has changed, or may have changed,
	// oldest first.
	Touched []exposure `json:"touched,omitempty"`
	// Roster knows the targets that do not go as the plan has it.
	Roster roster `json:"roster"`
	// Judged is what the current stage is judged by.
	Judged activities.HealthInput `json:"judged"`
	// Suspended is where the judging of the current stage stood when the rollout continued as new;
	// nil otherwise.
	Suspended *suspendedStep `json:"suspended,omitempty"`
	// Back is the way back; nil until it has begun, and never left again.
	Back *wayBack `json:"back,omitempty"`
	// Coupling is what a rollout in a train knows of that.
	Coupling coupling `json:"coupling,omitzero"`
	// Announced are the events for which a notification was started.
	Announced []string `json:"announced,omitempty"`
}

// suspendedStep is where the judging of a stage stands between two steps.
type suspendedStep struct {
	// Step is what comes next: bake, hold, wait or gate.
	Step string `json:"step"`
	// Clock is how much of the bake is left, HoldLeft how much longer the gate may hold, and Holds
	// how often the gate has held.
	Clock    time.Duration          `json:"clock"`
	HoldLeft time.Duration          `json:"holdLeft"`
	Holds    int                    `json:"holds"`
	Input    activities.HealthInput `json:"input"`
	Last     health.Report          `json:"last"`
	// Watched is how much of the bake was watched, and Longer how often it has gone on for what was
	// not.
	Watched health.Watched `json:"watched,omitzero"`
	Longer  int            `json:"longer,omitempty"`
	// Passed is who let the stage pass against the evidence, while it waits to be left.
	Passed *rollout.OverrideGrant `json:"passed,omitempty"`
}

// errContinueAsNew asks to continue as new.
var errContinueAsNew = errors.New("continue as new")

// maxCarried is how many bytes may be carried: a payload is limited to 2 MB. A rollout that knows
// more goes on in the same run: Temporal suggests a new one at a tenth of the events that a history
// can hold.
const maxCarried = 1 << 20

// historyFull says that the rollout should go on in a new run. After an abort, the way back begins
// first, in this run.
func (r *run) historyFull() bool {
	going := r.State.Aborted != nil && r.Back == nil
	if !workflow.GetInfo(r.base).GetContinueAsNewSuggested() || going || r.tooMuch {
		return false
	}
	r.tooMuch = rollout.JSONSize(r.Carried) > maxCarried
	return !r.tooMuch
}

// continueAsNew goes on in a new run. No signal is lost: what has arrived is applied and carried
// along, and one that arrives meanwhile makes the server repeat this task.
func (r *run) continueAsNew(ctx workflow.Context) error {
	next := r.sub
	next.Carried = &r.Carried
	if len(next.FleetData)+rollout.JSONSize(r.Carried) > maxCarried {
		next.FleetData = nil // the first run has it
	}
	return workflow.NewContinueAsNewError(ctx, connect.WorkflowType, next)
}

// restore takes up what an earlier run has carried here.
func (r *run) restore(c Carried) {
	r.Carried = c
	r.State.Every = r.sub.Spec.Health.Every
	if r.Back != nil {
		r.Back.run = r
	}
	if o := r.State.Outcome; o != nil && o.GaveUp != nil { // as v0.1.0 has noted it
		r.State.GaveUp = o.GaveUp
	}
	if r.State.Aborted != nil || r.overtaken() {
		r.cancelForward()
	}
	for range r.Roster.Sweeps {
		r.spec.Stages = append(r.spec.Stages, r.sweepStage())
	}
}
