package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
)

// rollback takes back what the rollout touched, newest exposure first, and ends
// the rollout. It runs on a context that nothing cancels.
func (r *rollout) rollback(cause error) {
	r.goingBack = true
	o := r.verdict(cause)
	o.Touched = r.changed()
	if len(r.touched) > 0 {
		r.enter(PhaseRollback, o.Why)
		r.revert(&o)
	}
	if len(o.NotReverted) > 0 {
		o.Result = PhaseIncomplete
	} else if o.Result == PhaseRolledBack {
		r.recovery(cause, &o)
	}
	r.end(o)
}

// verdict words the cause of going back.
func (r *rollout) verdict(cause error) Outcome {
	var f *failure
	var app *temporal.ApplicationError
	switch {
	case r.aborted != nil:
		why := "aborted by " + r.aborted.By
		if r.aborted.Why != "" {
			why += ": " + r.aborted.Why
		}
		return Outcome{Result: PhaseAborted, Why: why}
	case errors.As(cause, &f) && f.refused:
		return Outcome{Result: PhaseRefused, Why: f.why + "; nothing was changed"}
	case errors.As(cause, &f):
		return Outcome{Result: PhaseRolledBack, Why: f.why}
	case errors.As(cause, &app) && app.Type() == activities.ErrTypeInvalid && len(r.touched) == 0:
		return Outcome{Result: PhaseRefused, Why: app.Message() + "; nothing was changed"}
	}
	return Outcome{Result: PhaseRolledBack, Why: cause.Error()}
}

// revert puts every touched batch back, newest first, and notes which targets did
// not come. Every target is tried once before any is tried again: one that does not
// answer keeps no other on the release.
func (r *rollout) revert(o *Outcome) {
	back := slices.Clone(r.touched)
	slices.Reverse(back)
	left := r.sweep(o, back, make([][]string, len(back)), time.Time{}, batchesAtOnce)
	var again []exposure
	var only [][]string
	for i, troubles := range left {
		var ids []string
		for _, t := range troubles {
			if t.Final {
				o.NotReverted = append(o.NotReverted, TargetTrouble{ID: t.ID, Reason: t.Reason})
			} else {
				ids = append(ids, t.ID)
			}
		}
		if len(ids) > 0 {
			again, only = append(again, back[i]), append(only, ids)
		}
	}
	if len(again) == 0 {
		return
	}
	deadline := workflow.Now(r.base).Add(r.spec.Rollback.Deadline.Std())
	r.enter(PhaseRollback, fmt.Sprintf("%d of %d touched targets are back; trying the others for up to %s",
		o.Reverted, o.Touched, r.spec.Rollback.Deadline))
	for _, troubles := range r.sweep(o, again, only, deadline, len(again)) {
		for _, t := range troubles {
			o.NotReverted = append(o.NotReverted, TargetTrouble{ID: t.ID, Reason: t.Reason})
		}
	}
}

// sweep reverts batches, or the targets of them that only names, and answers which
// targets of each were not reverted by the deadline.
func (r *rollout) sweep(o *Outcome, back []exposure, only [][]string, deadline time.Time, atOnce int) [][]activities.Trouble {
	left := make([][]activities.Trouble, len(back))
	share := max(1, r.spec.Rollback.Parallel/min(len(back), atOnce))
	_ = eachBatch(r.base, len(back), atOnce, never, func(ctx workflow.Context, i int) error { // f answers no error
		t := back[i]
		t.Parallel = share
		what := span("revert", r.state.Stages[t.stage].Name, t.Batch, r.planned.Stages[t.stage].From)
		ctx = workflow.WithActivityOptions(ctx, urgent(options(what, r.spec.Rollback.Deadline.Std()+batchTimeout)))
		var out activities.Reverted
		err := workflow.ExecuteActivity(ctx, acts.Revert, activities.RevertInput{
			Batch: t.Batch, Fence: r.backFence(), Previous: t.previous, Only: only[i], Deadline: deadline,
		}).Get(ctx, &out)
		o.Reverted += out.Reverted
		r.state.Exposed -= out.Reverted
		if err != nil { // an activity that is retried without end only ends so by hand
			out.Trouble = append(out.Trouble, activities.Trouble{ID: what, Reason: err.Error(), Final: true})
		}
		left[i] = out.Trouble
		r.publish()
		return nil
	})
	return left
}

// recovery looks whether the checks recovered: if they did not, the change was
// probably not the cause, and that is said. It never changes what was done.
func (r *rollout) recovery(cause error, o *Outcome) {
	var f *failure
	if !errors.As(cause, &f) || f.report == nil || f.report.Verdict() != health.Fail || o.Reverted == 0 {
		return
	}
	limit := r.spec.Rollback.Recover.Std()
	r.enter(PhaseVerify, fmt.Sprintf("all %d touched targets are back; looking for up to %s whether health recovers", o.Reverted, r.spec.Rollback.Recover))
	opts := options("look whether health recovers", limit+time.Minute)
	opts.ScheduleToCloseTimeout = limit + time.Minute
	ctx := workflow.WithActivityOptions(r.base, opts)
	now := workflow.Now(ctx)
	in := activities.RecoverInput{HealthInput: r.judged, Until: now.Add(limit)}
	in.Since, in.State = now, health.State{}
	var out activities.Judged
	if err := workflow.ExecuteActivity(ctx, acts.Recover, in).Get(ctx, &out); err != nil {
		o.Recovered, o.Why = "unknown", o.Why+"; whether health recovered is unknown: "+err.Error()
		return
	}
	o.Recovery = &out.Report
	switch out.Report.Verdict() {
	case health.Pass:
		o.Recovered = "yes"
	case health.Fail:
		o.Recovered, o.Why = "no", o.Why+"; THE ROLLBACK DID NOT CURE IT, so the change was probably not the cause: "+words(out.Report, health.Fail)
	default:
		o.Recovered = "unknown"
	}
}
