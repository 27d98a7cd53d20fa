package rollout

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
)

// batchesAtOnce bounds how many batches of a stage are worked on at the same time, over however
// many workers there are.
const batchesAtOnce = 4

// batches cuts a stage's cohort into batches of the same size, give or take one target. Their
// number is a multiple of batchesAtOnce, so that no batch works alone at the end. For example,
// 2,500 targets with a batch of 1,000 are 4 batches of 625. Those that work at once divide
// apply.parallel among them.
func (r *run) batches(stage int) []activities.Batch {
	return r.batchesOf(r.first(stage), r.State.Stages[stage].Cohort, r.stragglers(stage))
}

// batchesOf cuts targets of the plan's order, or stragglers where there are any.
func (r *run) batchesOf(first, count int, stragglers []fleet.Target) []activities.Batch {
	size := max(1, r.spec.Apply.Batch)
	n := (count + size - 1) / size
	if n > 1 {
		n = min(count, (n+batchesAtOnce-1)/batchesAtOnce*batchesAtOnce)
	}
	share := max(1, r.spec.Apply.Parallel/min(n, batchesAtOnce))
	out := make([]activities.Batch, 0, n)
	for i := range n {
		from, to := count*i/n, count*(i+1)/n
		b := activities.Batch{Plan: r.Planned.Digest, From: first + from, To: first + to, Parallel: share}
		if stragglers != nil { // each batch carries its own targets only
			b.From, b.To, b.Stragglers = 0, to-from, stragglers[from:to]
		}
		out = append(out, b)
	}
	return out
}

// first is where a stage's cohort begins in the plan's order.
func (r *run) first(stage int) int {
	if r.stragglers(stage) != nil {
		return 0
	}
	return r.Planned.Stages[stage].From
}

// eachBatch calls f for 0..n-1, some at once, and answers the first error in their order. After an
// error, or once halt answers true, no more are started.
func eachBatch(ctx workflow.Context, n, atOnce int, halt func() bool, f func(ctx workflow.Context, i int) error) error {
	errs := make([]error, n)
	next, running := 0, 0
	failed := func() error {
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	for range min(n, atOnce) {
		running++
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer func() { running-- }()
			for next < n && failed() == nil && !halt() {
				i := next
				next++
				errs[i] = f(ctx, i)
			}
		})
	}
	waiter, _ := workflow.NewDisconnectedContext(ctx) // what was started is waited for
	if err := workflow.Await(waiter, func() bool { return running == 0 }); err != nil {
		return err
	}
	return failed()
}

// span names the targets of a batch in a summary, for example "apply 2.0.0 to targets 1-500 of
// early".
func span(verb, stage string, b activities.Batch, first int) string {
	return fmt.Sprintf("%s targets %d-%d of %s", verb, b.From-first+1, b.To-first, stage)
}
