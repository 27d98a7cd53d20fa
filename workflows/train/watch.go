package train

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/train"
)

// lookEvery is how often the train looks whether rollouts are still there: one that was ended by
// hand tells nobody.
const lookEvery = time.Minute

// lookAfter looks whether the rollouts under way are still there, and tells again what was not
// acknowledged.
func (r *run) lookAfter(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(r.Ledger.Open) > 0 }) // ctx is never cancelled
		_ = workflow.NewTimerWithOptions(ctx, lookEvery, workflow.TimerOptions{Summary: "look after the rollouts under way"}).Get(ctx, nil)
		r.fresh(ctx)
		in, starts := activities.LookAfterInput{Unit: r.Unit}, map[train.Number]int{}
		for _, o := range r.Ledger.Open {
			_, starting := r.Queued[o.Number]
			if !starting && o.State != train.Lost {
				starts[o.Number] = r.starts[o.Number]
				in.Numbers = append(in.Numbers, int64(o.Number))
			}
		}
		if len(in.Numbers) == 0 {
			continue
		}
		r.working++
		var ended []activities.EndedRollout
		if err := do(ctx, activities.TypeLookAfter, "are the rollouts under way still there", in, &ended); err != nil {
			workflow.GetLogger(ctx).Warn("nobody knows whether the rollouts are still there", "error", err)
		}
		r.fresh(ctx)
		for _, e := range ended {
			if n := train.Number(e.Number); r.starts[n] == starts[n] && starts[n]%2 == 0 { // else it was started once more meanwhile
				r.notice(ctx, e)
			}
		}
		r.take(ctx, r.Ledger.Retell())
		r.working--
	}
}

// notice takes in that a rollout has ended. One that has ended by itself, and whose report was
// lost, says how.
func (r *run) notice(ctx workflow.Context, e activities.EndedRollout) {
	n := train.Number(e.Number)
	o := r.Ledger.Find(n)
	if o == nil {
		return
	}
	if e.Result == "" {
		r.take(ctx, r.know(r.Ledger.Gone(n, e.WentBack)))
		return
	}
	r.take(ctx, r.know(r.Ledger.Hear(train.RolloutReport{
		Number: n, Seq: o.Seq + 1, Plan: o.Plan, Stages: o.Stages, Passed: o.Passed, GoesBack: e.WentBack, Result: e.Result, Why: e.Why,
	})))
}
