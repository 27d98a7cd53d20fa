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

// revert puts every touched batch back and notes which targets did not come.
func (r *rollout) revert(o *Outcome) {
	back := slices.Clone(r.touched)
	slices.Reverse(back)
	share := max(1, r.spec.Rollback.Parallel/min(len(back), batchesAtOnce))
	deadline := workflow.Now(r.base).Add(r.spec.Rollback.Deadline.Std())
	_ = eachBatch(r.base, len(back), never, func(ctx workflow.Context, i int) error {
		t := back[i]
		t.Parallel = share
		name := r.state.Stages[t.stage].Name
		what := span("revert", name, t.Batch, r.planned.Stages[t.stage].From)
		ctx = workflow.WithActivityOptions(ctx, urgent(options(what, r.spec.Rollback.Deadline.Std()+batchTimeout)))
		var out activities.Reverted
		err := workflow.ExecuteActivity(ctx, acts.Revert, activities.RevertInput{
			Batch: t.Batch, Fence: r.backFence(), Previous: t.previous, Deadline: deadline,
		}).Get(ctx, &out)
		o.Reverted += out.Reverted
		r.state.Exposed -= out.Reverted
		if err != nil { // an activity that is retried without end only ends so by hand
			out.Trouble = append(out.Trouble, activities.Trouble{ID: what, Reason: err.Error()})
		}
		for _, trouble := range out.Trouble {
			o.NotReverted = append(o.NotReverted, troubled(trouble, len(o.NotReverted)))
		}
		r.publish()
		return nil
	})
}

// reasonsAtMost is how many unreverted targets are listed with their reason; the
// others are listed by name, so that the outcome of any fleet fits into a payload.
const reasonsAtMost = 1000

func troubled(t activities.Trouble, n int) TargetTrouble {
	if n >= reasonsAtMost {
		t.Reason = ""
	}
	return TargetTrouble{ID: t.ID, Reason: t.Reason}
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
