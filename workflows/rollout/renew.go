package rollout

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
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
	Override  *rollout.Control       `json:"override,omitempty"`
	Judged    activities.HealthInput `json:"judged"`
	Resting   *resting               `json:"resting,omitempty"`
	Back      *wayBack               `json:"back,omitempty"`
	Announced []string               `json:"announced,omitempty"`
	// Aborted, Retry and GaveUp are what was asked for since the run is on its way to
	// the next one.
	Aborted *rollout.Control `json:"aborted,omitempty"`
	Retry   bool             `json:"retry,omitempty"`
	GaveUp  *rollout.Control `json:"gaveUp,omitempty"`
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

// errRenew asks to continue as new.
var errRenew = errors.New("continue as new")

// maxCarried is how many bytes may be carried: a payload is limited to 2 MB. A
// rollout that knows more goes on with a longer history, which has room for ten
// times of what Temporal suggests.
const maxCarried = 1 << 20

// full says that the history should not grow any more. An abort begins its way back
// first, in this run.
func (r *run) full() bool {
	going := r.aborted != nil && r.back == nil
	if !workflow.GetInfo(r.base).GetContinueAsNewSuggested() || going || r.tooMuch {
		return false
	}
	r.tooMuch = rollout.JSONSize(r.carried()) > maxCarried
	return !r.tooMuch
}

func (r *run) carried() Carried {
	return Carried{
		State: r.state, Planned: r.planned, Touched: r.touched, Sweeps: r.sweeps, Newcomers: r.newcomers, Counted: r.counted, Override: r.override,
		Judged: r.judged, Resting: r.resting, Back: r.back, Announced: r.announced,
		Aborted: r.aborted, Retry: r.retry, GaveUp: r.gaveUp, First: workflow.GetInfo(r.base).FirstRunID,
	}
}

// renew continues as new. No signal is lost: all that have come were heard and are
// carried, and one that comes meanwhile makes the server ask again.
func (r *run) renew(ctx workflow.Context) error {
	next := r.sub
	c := r.carried()
	next.Carried = &c
	if len(next.FleetData)+rollout.JSONSize(c) > maxCarried {
		next.FleetData = nil // the first run has it
	}
	return workflow.NewContinueAsNewError(ctx, Rollout, next)
}

// restore takes up what an earlier run has carried here.
func (r *run) restore(c Carried) {
	r.state, r.planned, r.touched, r.sweeps = c.State, c.Planned, c.Touched, c.Sweeps
	r.override, r.judged, r.resting, r.back = c.Override, c.Judged, c.Resting, c.Back
	r.announced, r.newcomers, r.counted = c.Announced, c.Newcomers, c.Counted
	r.aborted, r.retry, r.gaveUp = c.Aborted, c.Retry, c.GaveUp
	if r.aborted != nil {
		r.abort()
	}
	for range r.sweeps {
		r.spec.Stages = append(r.spec.Stages, r.sweepStage())
	}
}
