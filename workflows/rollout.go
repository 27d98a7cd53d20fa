// Package workflows holds the durable logic of a rollout: it reads like the life
// of a rollout in docs/rollout.md, and has no effect of its own.
package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/spec"
)

// Rollout takes a release across a fleet stage by stage. It ends without an error
// however the rollout ended: the result says how.
func Rollout(ctx workflow.Context, sub Submission) (State, error) {
	r, err := setup(ctx, sub)
	if err != nil {
		return State{}, err
	}
	r.run(sub)
	return fit(r.state), nil
}

// rollout is one run of the workflow.
type rollout struct {
	// ctx ends when the rollout is aborted; base never does, so that the way back
	// is not cancelled by what made it necessary.
	ctx, base workflow.Context
	abort     workflow.CancelFunc
	spec      spec.Spec
	state     State
	planned   activities.Planned
	// touched are the batches that were changed, or may have been, oldest first.
	touched []exposure
	// override is a promote that was taken and not used yet.
	override *Control
	// aborted is what asked for the way back; nil while nothing did.
	aborted *Control
	// goingBack is set once the way back has begun; it is never left again.
	goingBack bool
	// judged is what the current stage is judged by.
	judged activities.HealthInput
	// shown is what the search attributes say.
	shown attributes
}

// exposure is a batch that must be taken back when the rollout fails.
type exposure struct {
	activities.Batch
	stage    int
	previous activities.Previous
	count    int // how many targets may have been changed
}

// setup readies the state, the query and the signals.
func setup(ctx workflow.Context, sub Submission) (*rollout, error) {
	base, _ := workflow.NewDisconnectedContext(ctx)
	r := &rollout{base: base, spec: sub.Spec}
	r.ctx, r.abort = workflow.WithCancel(ctx)
	info := workflow.GetInfo(ctx)
	r.state = State{
		Unit: sub.Spec.Unit, Release: sub.Spec.Release, By: sub.By,
		Fence: fence(info.WorkflowStartTime), StartedAt: info.WorkflowStartTime,
		Phase: PhasePlanning, Why: "cutting the fleet into cohorts",
	}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (State, error) { return r.state, nil }); err != nil {
		return nil, fmt.Errorf("answer status queries: %w", err)
	}
	workflow.Go(base, r.listen)
	workflow.Go(ctx, func(ctx workflow.Context) { // `temporal workflow cancel` is an abort
		ctx.Done().Receive(ctx, nil)
		r.cancelled()
	})
	return r, nil
}

// fence grows with every rollout of a unit, since only one runs at a time and the
// server's clock dates them. Two orders fit into one millisecond's number, going
// forward and going back; a target that has seen a newer fence than ours refuses.
func fence(start time.Time) int64 { return start.UnixMilli() * 2 }

// backFence is the fence of the way back: a late apply must not overwrite it.
func (r *rollout) backFence() int64 { return r.state.Fence + 1 }

// plan pins the fleet's snapshot and cuts it.
func (r *rollout) plan(sub Submission) error {
	ctx := workflow.WithActivityOptions(r.ctx, options("cut the fleet into cohorts", 5*time.Minute))
	in := activities.PlanInput{Spec: sub.Spec, FleetDigest: sub.FleetDigest, FleetData: sub.FleetData}
	err := workflow.ExecuteActivity(ctx, acts.Plan, in).Get(ctx, &r.planned)
	if err != nil {
		return err
	}
	r.state.Plan, r.state.Targets = r.planned.Digest, r.planned.Targets
	for i, s := range r.spec.Stages {
		r.state.Stages = append(r.state.Stages, StageState{
			Name: s.Name, Cohort: r.planned.Stages[i].Size(), Reach: r.planned.Stages[i].To,
			Bake: s.Bake, Approval: s.Approval,
		})
	}
	return nil
}

// run walks the stages and, when one does not pass, goes back.
func (r *rollout) run(sub Submission) {
	err := r.forward(sub)
	if temporal.IsCanceledError(err) {
		r.cancelled()
	}
	r.drain() // an abort that came with the last gate's answer still counts
	if err == nil && r.aborted == nil {
		r.end(Outcome{Result: PhasePromoted, Touched: r.changed(), Why: fmt.Sprintf("all %d targets run %s", r.state.Targets, r.state.Release)})
	} else {
		r.rollback(err)
	}
	r.drain()
}

// cancelled makes an abort of the workflow's cancellation, once.
func (r *rollout) cancelled() {
	if r.aborted == nil && r.state.Outcome == nil {
		r.control(SignalAbort, ControlRequest{By: "a Temporal cancellation"})
	}
}

// forward promotes stage after stage. Its error says why it stopped.
func (r *rollout) forward(sub Submission) error {
	if err := r.plan(sub); err != nil {
		return err
	}
	if err := r.validate(); err != nil {
		return err
	}
	if err := r.approval(0); err != nil {
		return err
	}
	for i := range r.state.Stages {
		if err := r.stage(i); err != nil {
			return err
		}
	}
	return nil
}

// changed is how many targets the rollout changed, or may have.
func (r *rollout) changed() int {
	n := 0
	for _, t := range r.touched {
		n += t.count
	}
	return n
}

// end records the outcome where everybody looks for it.
func (r *rollout) end(o Outcome) {
	o.EndedAt = workflow.Now(r.base)
	if o.Stage == "" && o.Result != PhasePromoted && len(r.state.Stages) > 0 {
		o.Stage = r.state.Stages[r.state.Stage].Name
	}
	r.state.Outcome = &o
	r.enter(o.Result, o.Why)
}
