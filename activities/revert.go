package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/target"
)

// Revert puts every target of the batch back on what it ran before, and observes
// that it is. It goes on past targets that fail: each is tried until the deadline
// and then named. It needs the targets and the plan, and nothing else.
func (a *Activities) Revert(ctx context.Context, in RevertInput) (Reverted, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return Reverted{}, err
	}
	began := time.Now()
	targets := p.Order[in.From:in.To]
	before := in.Previous.byID()
	work := resume(ctx, len(targets))
	defer beating(ctx, beatEvery, work.save)()
	each(ctx, len(targets), in.Parallel, never, func(i int) {
		t := targets[i]
		if work.isDone(i) || before(t.ID) == p.Spec.Release {
			return // back already, or found on the release and never touched
		}
		r := reversal{
			driver: d, target: t, release: p.Spec.Release,
			order: target.Order{Unit: p.Spec.Unit, Release: before(t.ID), Fence: in.Fence},
		}
		if err := r.until(ctx, in.Deadline); err != nil {
			work.fail(t.ID, err)
			return
		}
		work.finish(i)
	})
	if err := ctx.Err(); err != nil {
		return Reverted{}, err
	}
	a.metrics.reverted(began, work.count(), len(work.trouble))
	return Reverted{Reverted: work.count(), Trouble: sortTrouble(work.trouble)}, nil
}

// reversal takes one target back.
type reversal struct {
	driver  target.Driver
	target  fleet.Target
	release string // what is taken back
	order   target.Order
}

// errDrift means that the target runs neither release: it is left as it is.
var errDrift = errors.New("changed by somebody else")

// until tries again and again until the target is back or the deadline has
// passed; it tries at least once.
func (r reversal) until(ctx context.Context, deadline time.Time) error {
	wait := 250 * time.Millisecond
	for {
		err := r.once(ctx)
		if err == nil || errors.Is(err, errDrift) || isRefusal(err) {
			return err
		}
		if time.Now().Add(wait).After(deadline) {
			return fmt.Errorf("not back by the rollback's deadline: %w", err)
		}
		if !pause(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, 10*time.Second)
	}
}

// once orders the previous release and observes that it is in effect. The order
// is sent even to a target that runs it already, so that its fence shuts out an
// apply that is still on its way.
func (r reversal) once(ctx context.Context) error {
	s, err := r.driver.Observe(ctx, r.target, r.order.Unit)
	if err == nil && s.Release != r.release && s.Release != r.order.Release {
		return fmt.Errorf("%w: runs %q, neither %q nor %q, and was left alone", errDrift, s.Release, r.release, r.order.Release)
	}
	if err := r.driver.Apply(ctx, r.target, r.order); err != nil {
		return err
	}
	s, err = r.driver.Observe(ctx, r.target, r.order.Unit)
	if err != nil {
		return fmt.Errorf("observe after rollback: %w", err)
	}
	if s.Release != r.order.Release {
		return fmt.Errorf("accepted %q and still runs %q", r.order.Release, s.Release)
	}
	return nil
}
