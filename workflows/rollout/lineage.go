package rollout

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// What operators do with Temporal's own tools: reset, terminate and start again, start a second
// workflow. A run that is not the first of its unit takes over what earlier ones have left, before
// anything else.

// misplaced says why this workflow must not change its unit; empty if it may.
func (r *run) misplaced() string {
	info, unit := workflow.GetInfo(r.base), r.sub.Spec.Unit
	id := connect.DeploymentOf(info.TaskQueueName).WorkflowID(unit)
	if r.coupled() {
		id = connect.DeploymentOf(info.TaskQueueName).RolloutID(unit, int64(r.sub.Train.Number))
	}
	switch {
	case !r.since020:
	case info.WorkflowExecution.ID != id:
		return fmt.Sprintf("the id of this workflow is %q, and rollouts of %s are %q, one at a time: "+
			"nobody could abort this one; start it with sluice start; it has changed nothing", info.WorkflowExecution.ID, unit, id)
	case r.sub.Carried != nil && info.ContinuedExecutionRunID == "":
		return "its input is that of a rollout under way, which it does not continue: start it with sluice start; it has changed nothing"
	}
	return ""
}

// noticeReset ends what goes forward once this run is another than the one that began it: the
// server has reset it, and nobody knows here what the one before has done since. The run's id is
// recorded where it changes, so that what was recorded before replays.
func (r *run) noticeReset(ctx workflow.Context) {
	if !r.since020 || r.reset {
		return
	}
	info := workflow.GetInfo(ctx)
	id := func(workflow.Context) any { return info.WorkflowExecution.RunID }
	same := func(a, b any) bool { return a == b }
	var now string
	if err := workflow.MutableSideEffect(ctx, "run id", id, same).Get(&now); err != nil {
		workflow.GetLogger(ctx).Warn("the id of the run was not read", "error", err)
		return
	}
	if began := cmp.Or(info.OriginalRunID, info.WorkflowExecution.RunID); now != began {
		r.reset = true
		r.cancelForward()
	}
}

// inherit asks what earlier runs have left behind, and takes it over.
func (r *run) inherit(ctx workflow.Context) (activities.Inherited, error) {
	out, err := r.earlier(ctx)
	if err == nil && len(out.Touched) > 0 {
		r.Touched = out.Touched
		for i := range r.Touched {
			if r.coupled() { // the train says which fence is above all that were given out
				r.Touched[i].Back = r.backFence()
			}
		}
		r.State.Exposed = r.changed()
	}
	return out, err
}

// earlier asks what earlier runs have left behind.
func (r *run) earlier(ctx workflow.Context) (activities.Inherited, error) {
	o := options("look for what earlier runs have left behind", inheritTimeout)
	o.TaskQueue, o.ScheduleToCloseTimeout = connect.RollbackQueueOf(workflow.GetInfo(ctx).TaskQueueName), 2*inheritTimeout
	o.RetryPolicy.MaximumAttempts = inheritAttempts
	var out activities.Inherited
	err := r.do(ctx, o, activities.TypeInherit, activities.InheritInput{Reset: r.reset}, &out)
	return out, err
}

const (
	inheritTimeout  = 5 * time.Minute
	inheritAttempts = 8
)

// clearEarlier takes back what earlier runs have left, before a rollout begins.
func (r *run) clearEarlier() error {
	if !r.since020 {
		return nil
	}
	left, err := r.inherit(r.ctx)
	switch {
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case err != nil:
		return &failure{
			refused: true, reason: rollout.RefusedEarlier,
			why: "nobody knows what earlier runs of this workflow have left behind: " + Plainly(err),
		}
	case len(left.Touched) == 0:
		return nil
	}
	o := rollout.Outcome{Result: rollout.PhaseRolledBack, Touched: r.changed()}
	o.Why = strings.Join(left.From, ", ") + ": what that had changed is rolled back before anything else"
	b := &wayBack{run: r, Outcome: o, Result: o.Result, ClearingEarlier: true}
	r.enter(rollout.PhasePlanning, o.Why)
	b.revertTouched()
	if len(b.Left) > 0 {
		b.ClearingEarlier, r.Back = false, b
		return &failure{why: o.Why}
	}
	r.Touched, r.State.Exposed = nil, 0
	were := fmt.Sprintf("%d targets were", b.Outcome.Reverted)
	if b.Outcome.Reverted == 1 {
		were = "1 target was"
	}
	r.State.TakenOver = strings.Join(left.From, ", ") + "; " + were + " rolled back first"
	return nil
}

// takeOver ends a run that was reset: it takes back what the run before had changed or, where that
// one had ended by itself, says how.
func (r *run) takeOver() error {
	left, err := r.inherit(r.base)
	switch o := left.Ended; {
	case err == nil && o != nil:
		o.Why = "the workflow was reset when it had ended, and has changed nothing since; it had ended so: " + o.Why
		r.conclude(*o, o.Result)
		return nil
	case err != nil:
		workflow.GetLogger(r.base).Warn("nobody knows what earlier runs have left: the targets are asked", "error", err)
	}
	f := &failure{why: "the workflow was reset, and nobody judges any more what it had changed", unknown: err != nil, ended: left.Closed}
	if left.Closed {
		f.why = "the workflow was reset when it had ended, and another has begun since"
	}
	if len(left.From) > 0 {
		f.why += ": " + strings.Join(left.From, ", ")
	}
	if err != nil {
		f.why += "; what it was is not known, and the targets are asked: " + Plainly(err)
	}
	if left.Closed && len(left.Touched) == 0 { // its own end says what it has left
		r.Touched, r.State.Exposed = nil, 0
	}
	if err == nil && len(r.Touched) == 0 {
		f.refused, f.reason = true, rollout.RefusedEarlier
	}
	return r.rollback(f)
}
