package activities

import (
	"context"
	"errors"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
)

// DrillInput asks to run the spec's drill on a batch.
type DrillInput struct {
	Batch
	Fence int64 `json:"fence"`
	// Out are targets of the batch that do not have the release: they were left out.
	Out []string `json:"out,omitempty"`
}

// Drill runs the spec's drill for every target of a batch that has the release, and names those for which it did
// not succeed. A drill that was cut off is run again: it must be repeatable, like an order.
func (a *Activities) Drill(ctx context.Context, in DrillInput) ([]Trouble, error) {
	p, err := a.load(ctx, in.Plan)
	if err != nil {
		return nil, err
	}
	if p.Spec.Drill == nil {
		return nil, invalid(errors.New("the plan has no drill"))
	}
	targets, out := in.targets(p), fleet.Set(in.Out)
	order := driver.Order{Unit: p.Spec.Unit, Release: p.Spec.Release, Fence: in.Fence}
	work := resume(ctx, len(targets))
	stop := beating(ctx, beatEvery, work.save)
	each(ctx, len(targets), in.Parallel, never, func(i int) {
		if work.isDone(i) || out[targets[i].ID] {
			return
		}
		_, err := retry(ctx, p.Spec.Apply.Attempts, func() (struct{}, error) {
			return struct{}{}, driver.Drill(ctx, *p.Spec.Drill, targets[i], order)
		})
		if err != nil {
			work.fail(Trouble{ID: targets[i].ID, Reason: err.Error()})
			return
		}
		work.finish(i)
	})
	stop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return capReasons(work.trouble), nil
}
