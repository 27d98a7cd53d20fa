package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/spec"
)

// listAttempts is how often an activity lists a fleet before it gives up: with the pauses of the
// workflow's retries, a source may be away for about eight minutes.
const listAttempts = 20

// list lists a fleet, once. Its error is one that Temporal does not retry when trying again would
// be in vain, or was often enough.
func (a *Activities) list(ctx context.Context, f spec.FleetSource) (fleet.Fleet, error) {
	doubts, err := a.doubts(ctx, &a.blind.fleet)
	if err != nil {
		return fleet.Fleet{}, err
	}
	stop := beating(ctx, liveEvery(ctx), func() any { return handed{doubts} })
	out, err := a.lister(ctx, f)
	stop() // before anything is handed on
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return fleet.Fleet{}, ctx.Err()
	case dial.Blame(err) != dial.Theirs:
		if next, ok := a.elsewhere(ctx, doubts, &a.blind.fleet); ok {
			return fleet.Fleet{}, a.handOn(ctx, err.Error(), handed{next})
		}
	}
	return fleet.Fleet{}, listError(err, activity.GetInfo(ctx).Attempt)
}

// listError makes an error that Temporal does not retry of one that nothing mends, or nothing has
// mended for long enough.
func listError(err error, attempt int32) error {
	switch {
	case errors.Is(err, inventory.ErrFinal):
		return invalid(err)
	case attempt >= listAttempts:
		return invalid(fmt.Errorf("%w (tried %d times)", err, attempt))
	default:
		return err
	}
}

// pin lists the fleet of a submission that has none and keeps its snapshot.
func (a *Activities) pin(ctx context.Context, in *PlanInput) error {
	f, err := a.list(ctx, in.Spec.Fleet)
	if err != nil {
		return err
	}
	digest, data, err := fleet.Encode(f)
	if err != nil {
		return invalid(fmt.Errorf("pin the fleet: %w", err))
	}
	if _, err := a.store.Put(ctx, data); err != nil && len(data) > maxPinned {
		return fmt.Errorf("keep fleet snapshot: %w", err)
	}
	in.FleetDigest, in.FleetData = digest, data
	return nil
}
