package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
)

// applyOne puts a release on a target that still runs what was observed before: somebody else may
// have changed it meanwhile, and the way back would not know.
func applyOne(ctx context.Context, d driver.Driver, t fleet.Target, o driver.Order, before string) error {
	s, err := d.Observe(ctx, t, o.Unit)
	if err != nil {
		return err
	}
	if !driver.MadeOf(d, s.Release, before, o.Release) { // a mixture of both is of an attempt that broke off
		return fmt.Errorf("%w: runs %q, and ran %q when the stage began; it was left alone", errDrift, s.Release, before)
	}
	if s.Fence > o.Fence { // of parts, the first would be changed before the last refuses
		return fmt.Errorf("%w: has accepted fence %d, newer than %d", driver.ErrFenced, s.Fence, o.Fence)
	}
	return d.Apply(ctx, t, o)
}

// orders are what is asked of the targets of a batch.
type orders struct {
	fence int64
	// tolerate is how many may stay silent.
	tolerate int
	// halt says that no further target is asked; nil where all are.
	halt func(*progress) bool
	// due says which targets are asked; nil for all.
	due  func(fleet.Target) bool
	give orderFunc
}

// orderFunc gives an order to a target.
type orderFunc func(context.Context, fleet.Target, driver.Order) error

// toEach gives the plan's order to the targets of a batch, and answers how far that came. Where it
// is the worker that reaches nobody, the error hands the rest to another one.
func (a *Activities) toEach(ctx context.Context, b Batch, p plan.Plan, o orders) (*progress, error) {
	doubts, err := a.doubts(ctx, &a.blind.targets)
	if err != nil {
		return nil, err
	}
	targets := b.targets(p)
	order := driver.Order{Unit: p.Spec.Unit, Release: p.Spec.Release, Fence: o.fence}
	work := resume(ctx, len(targets))
	stop := beating(ctx, beatEvery, work.save)
	nobody := a.nobodyAnswers(ctx, &work.reach, doubts, b.Parallel)
	halt := func() bool { return o.halt != nil && o.halt(work) || nobody() }
	each(ctx, len(targets), b.Parallel, halt, func(i int) {
		if work.isDone(i) || o.due != nil && !o.due(targets[i]) {
			return
		}
		_, err := retry(ctx, p.Spec.Apply.Attempts, func() (struct{}, error) { return struct{}{}, o.give(ctx, targets[i], order) })
		work.reach.note(err)
		if err != nil {
			whole := !errors.Is(err, driver.ErrBetween) // else something was changed, which is not to be left out
			work.fail(Trouble{
				ID: targets[i].ID, Reason: err.Error(),
				Silent: whole && isSilence(err), Refused: whole && errors.Is(err, driver.ErrRefused),
			})
			return
		}
		work.finish(i)
	})
	stop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return work, a.doubtful(ctx, &work.reach, doubts, work.silentBeyond(o.tolerate), func(d doubt) any {
		work.hand(d)
		return work.save()
	})
}

// Apply puts the plan's release on every target of the batch that does not run it yet. A target
// that fails for good, beyond those that may stay silent, stops the batch: the stage will be taken
// back, so exposing more would only do harm.
func (a *Activities) Apply(ctx context.Context, in ApplyInput) (Applied, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return Applied{}, err
	}
	began := time.Now()
	before, out := in.Previous.ByID(), fleet.Set(in.Out)
	work, err := a.toEach(ctx, in.Batch, p, orders{
		fence: in.Fence, tolerate: in.Tolerate, halt: func(work *progress) bool { return work.failedBeyond(in.Tolerate) },
		due: func(t fleet.Target) bool {
			was, known := before(t.ID)
			return !out[t.ID] && known && was != p.Spec.Release
		},
		give: func(ctx context.Context, t fleet.Target, o driver.Order) error {
			was, _ := before(t.ID)
			return applyOne(ctx, d, t, o, was)
		},
	})
	if err != nil {
		return Applied{}, err
	}
	a.metrics.applied(p.Spec.Unit, began, work.count(), len(work.trouble))
	return Applied{Changed: work.count(), Trouble: capReasons(work.trouble)}, nil
}
