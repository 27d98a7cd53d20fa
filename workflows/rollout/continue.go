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

// Carried is all that a rollout knows. It takes it along when it continues as new because
// its history has grown long.
type Carried struct {
	State     rollout.State          `json:"state"`
	Planned   activities.Planned     `json:"planned"`
	Touched   []exposure             `json:"touched,omitempty"`
	Roster    roster                 `json:"roster"`
	Judged    activities.HealthInput `json:"judged"`
	Suspended *suspendedStep         `json:"suspended,omitempty"`
	Back      *wayBack               `json:"back,omitempty"`
	Announced []string               `json:"announced,omitempty"`
	// First is the run that has the submission as it was sent.
	First string `json:"first"`
}

// suspendedStep is where the judging of a stage stands between two steps.
type suspendedStep struct {
	// Step is what comes next: bake, hold, wait or gate.
	Step string `json:"step"`
	// Clock is how much of the bake is left, HoldLeft how much longer the gate may hold,
	// and Holds how often the gate has held.
	Clock    time.Duration          `json:"clock"`
	HoldLeft time.Duration          `json:"holdLeft"`
	Holds    int                    `json:"holds"`
	Input    activities.HealthInput `json:"input"`
	Last     health.Report          `json:"last"`
	// Passed is who let the stage pass against the evidence, while it waits to be left.
	Passed *rollout.OverrideGrant `json:"passed,omitempty"`
}

// errContinueAsNew asks to continue as new.
var errContinueAsNew = errors.New("continue as new")

// maxCarried is how many bytes may be carried: a payload is limited to 2 MB. A rollout
// that knows more goes on in the same run: Temporal suggests a new one at a tenth of the
// events that a history can hold.
const maxCarried = 1 << 20

// historyFull says that the rollout should go on in a new run. After an abort, the way
// back begins first, in this run.
func (r *run) historyFull() bool {
	going := r.state.Aborted != nil && r.back == nil
	if !workflow.GetInfo(r.base).GetContinueAsNewSuggested() || going || r.tooMuch {
		return false
	}
	r.tooMuch = rollout.JSONSize(r.carried()) > maxCarried
	return !r.tooMuch
}

// carried is what goes along into a new run.
func (r *run) carried() Carried {
	return Carried{
		State: r.state, Planned: r.planned, Touched: r.touched, Roster: r.roster,
		Judged: r.judged, Suspended: r.suspended, Back: r.back, Announced: r.announced, First: workflow.GetInfo(r.base).FirstRunID,
	}
}

// continueAsNew goes on in a new run. No signal is lost: what has arrived is applied and
// carried along, and one that arrives meanwhile makes the server repeat this task.
func (r *run) continueAsNew(ctx workflow.Context) error {
	next := r.sub
	c := r.carried()
	next.Carried = &c
	if len(next.FleetData)+rollout.JSONSize(c) > maxCarried {
		next.FleetData = nil // the first run has it
	}
	return workflow.NewContinueAsNewError(ctx, connect.WorkflowType, next)
}

// restore takes up what an earlier run has carried here.
func (r *run) restore(c Carried) {
	r.state, r.planned, r.touched, r.roster = c.State, c.Planned, c.Touched, c.Roster
	r.judged, r.suspended, r.back = c.Judged, c.Suspended, c.Back
	r.announced = c.Announced
	if r.back != nil {
		r.back.run = r
	}
	if r.state.Aborted != nil {
		r.cancelForward()
	}
	for range r.roster.Sweeps {
		r.spec.Stages = append(r.spec.Stages, r.sweepStage())
	}
}
