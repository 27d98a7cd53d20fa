package activities

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/target"
)

// Apply puts the plan's release on every target of the batch that does not run
// it yet. The first target that fails for good stops the batch: the stage will
// be taken back, so exposing more would only do harm.
func (a *Activities) Apply(ctx context.Context, in ApplyInput) (Applied, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return Applied{}, err
	}
	began := time.Now()
	targets := p.Order[in.From:in.To]
	before := in.Previous.byID()
	order := target.Order{Unit: p.Spec.Unit, Release: p.Spec.Release, Fence: in.Fence}
	work := resume(ctx, len(targets))
	defer beating(ctx, beatEvery, work.save)()
	each(ctx, len(targets), in.Parallel, work.failed, func(i int) {
		t := targets[i]
		if work.isDone(i) || before(t.ID) == order.Release {
			return
		}
		_, err := retry(ctx, p.Spec.Apply.Attempts, func() (struct{}, error) {
			return struct{}{}, d.Apply(ctx, t, order)
		})
		if err != nil {
			work.fail(Trouble{ID: t.ID, Reason: err.Error()})
			return
		}
		work.finish(i)
	})
	if err := ctx.Err(); err != nil {
		return Applied{}, err
	}
	a.metrics.applied(began, work.count(), len(work.trouble))
	return Applied{Changed: work.count(), Trouble: sortTrouble(work.trouble)}, nil
}
