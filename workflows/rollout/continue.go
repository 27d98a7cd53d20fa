package rollout

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// Carried is what a rollout takes along when it continues as new, because its
// history has grown long: all that it knows.
type Carried struct {
	State     rollout.State          `json:"state"`
	Planned   activities.Planned     `json:"planned"`
	Touched   []exposure             `json:"touched,omitempty"`
	Sweeps    [][]fleet.Target       `json:"sweeps,omitempty"`
	Newcomers []fleet.Target         `json:"newcomers,omitempty"`
	Counted   []counted              `json:"counted,omitempty"`
	Judged    activities.HealthInput `json:"judged"`
	Resting   *resting               `json:"resting,omitempty"`
	Back      *wayBack               `json:"back,omitempty"`
	Announced []string               `json:"announced,omitempty"`
	// First is the run that has the submission as it was sent.
	First string `json:"first"`
}

// resting is where the judging of a stage stands between two steps.
type resting struct {
	// Step is what comes next: bake, hold, wait or gate.
	Step string `json:"step"`
	// Clock is how much of the bake is left, HoldLeft how much longer the gate may
	// hold, Holds how often it has.
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

// maxCarried is how many bytes may be carried: a payload is limited to 2 MB. A
// rollout that knows more goes on with a longer history, which has room for ten
// times of what Temporal suggests.
const maxCarried = 1 << 20

// historyFull says that the history should not grow any more. An abort begins its way back
// first, in this run.
func (r *run) historyFull() bool {
	going := r.state.Aborted != nil && r.back == nil
	if !workflow.GetInfo(r.base).GetContinueAsNewSuggested() || going || r.tooMuch {
		return false
	}
	r.tooMuch = rollout.JSONSize(r.carried()) > maxCarried
	return !r.tooMuch
}

func (r *run) carried() Carried {
	return Carried{
		State: r.state, Planned: r.planned, Touched: r.touched, Sweeps: r.sweeps, Newcomers: r.newcomers, Counted: r.counted,
		Judged: r.judged, Resting: r.resting, Back: r.back, Announced: r.announced, First: workflow.GetInfo(r.base).FirstRunID,
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
	r.state, r.planned, r.touched, r.sweeps = c.State, c.Planned, c.Touched, c.Sweeps
	r.judged, r.resting, r.back = c.Judged, c.Resting, c.Back
	r.announced, r.newcomers, r.counted = c.Announced, c.Newcomers, c.Counted
	if r.state.Aborted != nil {
		r.cancelForward()
	}
	for range r.sweeps {
		r.spec.Stages = append(r.spec.Stages, r.sweepStage())
	}
}
