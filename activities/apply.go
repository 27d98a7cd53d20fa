package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
)

// applyOne puts a release on a target that still runs what was observed before:
// somebody else may have changed it meanwhile, and the way back would not know.
func applyOne(ctx context.Context, d driver.Driver, t fleet.Target, o driver.Order, before string) error {
	s, err := d.Observe(ctx, t, o.Unit)
	if err != nil {
		return err
	}
	if s.Release != before && s.Release != o.Release {
		return fmt.Errorf("%w: runs %q, and ran %q when the stage began; it was left alone", errDrift, s.Release, before)
	}
	return d.Apply(ctx, t, o)
}

// Apply puts the plan's release on every target of the batch that does not run
// it yet. A target that fails for good, beyond those that may stay silent, stops the
// batch: the stage will be taken back, so exposing more would only do harm.
func (a *Activities) Apply(ctx context.Context, in ApplyInput) (Applied, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return Applied{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.targets)
	if err != nil {
		return Applied{}, err
	}
	began := time.Now()
	targets := in.targets(p)
	before, out := in.Previous.ByID(), fleet.Set(in.Out)
	order := driver.Order{Unit: p.Spec.Unit, Release: p.Spec.Release, Fence: in.Fence}
	work := resume(ctx, len(targets))
	stop := beating(ctx, beatEvery, work.save)
	nobody := a.nobodyAnswers(ctx, &work.reach, doubts, in.Parallel)
	halt := func() bool { return work.failedBeyond(in.Tolerate) || nobody() }
	each(ctx, len(targets), in.Parallel, halt, func(i int) {
		t := targets[i]
		was, known := before(t.ID)
		if work.isDone(i) || out[t.ID] || !known || was == order.Release {
			return
		}
		_, err := retry(ctx, p.Spec.Apply.Attempts, func() (struct{}, error) {
			return struct{}{}, applyOne(ctx, d, t, order, was)
		})
		work.reach.note(err)
		if err != nil {
			work.fail(Trouble{ID: t.ID, Reason: err.Error(), Silent: isSilence(err), Refused: errors.Is(err, driver.ErrRefused)})
			return
		}
		work.finish(i)
	})
	stop()
	if err := ctx.Err(); err != nil {
		return Applied{}, err
	}
	if err := a.doubtful(ctx, &work.reach, doubts, work.silentBeyond(in.Tolerate), func(d doubt) any {
		work.hand(d)
		return work.save()
	}); err != nil {
		return Applied{}, err
	}
	a.metrics.applied(p.Spec.Unit, began, work.count(), len(work.trouble))
	return Applied{Changed: work.count(), Trouble: capReasons(work.trouble)}, nil
}
