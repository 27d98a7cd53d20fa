package activities

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/target"
)

// Plan cuts the fleet into cohorts and keeps the plan in the store. It is pure
// but for the store, so a retry answers the same digest.
func (a *Activities) Plan(ctx context.Context, in PlanInput) (Planned, error) {
	data := in.FleetData
	if len(data) == 0 {
		var err error
		if data, err = a.store.Get(ctx, in.FleetDigest); err != nil {
			return Planned{}, fmt.Errorf("read fleet snapshot %s: %w (start with the --store that the workers share)", in.FleetDigest, err)
		}
	}
	f, err := fleet.Decode(data)
	if err != nil {
		return Planned{}, invalid(fmt.Errorf("read fleet snapshot %s: %w", in.FleetDigest, err))
	}
	p, err := plan.New(in.Spec, f)
	if err != nil {
		return Planned{}, invalid(fmt.Errorf("plan: %w", err))
	}
	if _, err := a.newDriver(p.Spec.Driver); err != nil {
		return Planned{}, invalid(fmt.Errorf("set up driver on the worker: %w", err))
	}
	encoded, err := plan.Encode(p)
	if err != nil {
		return Planned{}, invalid(fmt.Errorf("encode plan: %w", err))
	}
	digest, err := a.store.Put(ctx, encoded)
	if err != nil {
		return Planned{}, fmt.Errorf("keep plan: %w", err)
	}
	a.remember(digest, p)
	return Planned{Digest: digest, Targets: len(p.Order), Stages: p.Stages}, nil
}

// validateAtMost bounds how many targets are asked before the first stage; the
// exec driver validates again on every target before it applies.
const validateAtMost = 50

// Validate asks the first targets of a batch whether they could run the release,
// changing nothing, and names those that refuse. A target that cannot answer is
// not a refusal: observing it comes next.
func (a *Activities) Validate(ctx context.Context, in ApplyInput) ([]Trouble, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return nil, err
	}
	targets := p.Order[in.From:min(in.To, in.From+validateAtMost)]
	work := resume(ctx, len(targets))
	defer beating(ctx, beatEvery, work.save)()
	order := target.Order{Unit: p.Spec.Unit, Release: p.Spec.Release, Fence: in.Fence}
	each(ctx, len(targets), in.Parallel, never, func(i int) {
		if err := d.Validate(ctx, targets[i], order); isRefusal(err) {
			work.fail(targets[i].ID, err)
		}
	})
	return work.trouble, ctx.Err()
}
