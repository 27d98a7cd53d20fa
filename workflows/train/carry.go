package train

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	words "github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
	"github.com/sluicehq/sluice/workflows/rollout"
)

// take shows the ledger, and carries out what it asks for.
func (r *run) take(ctx workflow.Context, commands []train.Command) {
	for _, n := range workflow.DeterministicKeys(r.Inputs) {
		if r.Ledger.Find(n) == nil {
			delete(r.Inputs, n)
			delete(r.Queued, n)
		}
	}
	r.publish(ctx)
	for _, c := range commands {
		if pair := (comparison{c.Compare, c.With}); c.Compare != 0 {
			if r.comparing[pair] || r.unlike[pair] || len(r.comparing) == maxComparing {
				continue
			}
			r.comparing[pair] = true
		}
		r.working++
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer func() { r.working-- }()
			r.carryOut(ctx, c)
		})
	}
}

// carryOut does what the ledger asks for.
func (r *run) carryOut(ctx workflow.Context, c train.Command) {
	switch {
	case c.Start != 0:
		in := activities.StartRolloutInput{Unit: r.Unit, Number: int64(c.Start)}
		place := rollout.Place{Number: c.Start, Standing: c.Standing}
		if sub, ok := r.Queued[c.Start]; ok {
			sub.Train = &place
			in.Submission, in.Release, in.By = sub, sub.Spec.Release, sub.By
		} else {
			place.TakeBack = true
			in.Again = place
		}
		r.starts[c.Start]++
		err := do(ctx, activities.TypeStartRollout, "start rollout "+number(c.Start), in, nil)
		r.fresh(ctx)
		if r.starts[c.Start]++; err != nil {
			r.notStarted(ctx, c.Start, place.TakeBack, err)
			return
		}
		delete(r.Queued, c.Start)
	case c.Compare != 0:
		r.compare(ctx, c)
	default:
		r.tell(ctx, c)
	}
}

// notStarted ends a rollout that cannot be started and, where it was to take back what its first
// run has left, nobody knows what that is. A person has to look, and ends the hold.
func (r *run) notStarted(ctx workflow.Context, n train.Number, takesBack bool, err error) {
	p := train.RolloutReport{
		Number: n, Seq: workflow.Now(ctx).UnixMilli(), Result: string(words.PhaseRefused),
		Why: "rollout " + number(n) + " was not started: " + rollout.Plainly(err),
	}
	if takesBack {
		p.GoesBack, p.Result = true, string(words.PhaseIncomplete)
		p.Why = "nobody knows which targets still run the release of rollout " + number(n) +
			", which cannot take it back: " + rollout.Plainly(err)
	}
	r.take(ctx, r.know(r.Ledger.Hear(p)))
	r.keep(ctx, p.Why)
}

// keep holds the unit for a person.
func (r *run) keep(ctx workflow.Context, why string) {
	r.take(ctx, r.know(r.Ledger.Keep(why)))
}

// compare compares the plans of two rollouts, and then those that are left.
func (r *run) compare(ctx workflow.Context, c train.Command) {
	y, o := r.Ledger.Find(c.Compare), r.Ledger.Find(c.With)
	var found train.Comparison
	var err error
	if y != nil && o != nil {
		in := activities.CompareInput{
			Unit: r.Unit, Younger: train.Progress{Number: y.Number, Plan: y.Plan}, Older: train.Progress{Number: o.Number, Plan: o.Plan},
		}
		err = do(ctx, activities.TypeCompare, "compare the plans of rollouts "+number(c.With)+" and "+number(c.Compare), in, &found)
	}
	r.fresh(ctx)
	delete(r.comparing, comparison{c.Compare, c.With})
	if err != nil { // tried again once a person has ended the hold
		r.unlike[comparison{c.Compare, c.With}] = true
		r.keep(ctx, fmt.Sprintf("the plans of rollouts %d and %d cannot be compared, "+
			"and so nobody knows whether one would overtake: %s", c.With, c.Compare, rollout.Plainly(err)))
		return
	}
	r.take(ctx, r.know(r.Ledger.Compared(c.Compare, c.With, found)))
}

// tell tells a rollout where it stands. One that cannot be told is told again, or was ended by
// hand.
func (r *run) tell(ctx workflow.Context, c train.Command) {
	_ = workflow.Await(ctx, func() bool { // ctx is never cancelled
		_, starting := r.Queued[c.Tell]
		return !starting
	})
	id := connect.DeploymentOf(workflow.GetInfo(ctx).TaskQueueName).RolloutID(r.Unit, int64(c.Tell))
	if err := workflow.SignalExternalWorkflow(ctx, id, "", connect.SignalStanding, c.Standing).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("a rollout was not told where it stands", "number", c.Tell, "error", err)
	}
}

// do has an activity done, for as long as it takes.
func do(ctx workflow.Context, name, summary string, in, out any) error {
	o := workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, Summary: summary,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
	}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), name, in).Get(ctx, out)
}
