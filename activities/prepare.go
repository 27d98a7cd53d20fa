package activities

import (
	"context"
	"errors"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
)

// PrepareInput asks to ready the plan's release on a batch, beside what runs there.
type PrepareInput struct {
	Batch
	Fence int64 `json:"fence"`
	// Overtaken says that younger rollouts of the train have taken some of the targets: those are
	// told by them.
	Overtaken bool `json:"overtaken,omitempty"`
}

// Prepared is what came of a PrepareInput: how many targets are ready, and the others by name.
type Prepared struct {
	Ready   int       `json:"ready"`
	Trouble []Trouble `json:"trouble,omitempty"`
}

// Prepare has every target of a batch fetch, verify and check the release, and switches nothing.
// Whoever refuses is named; the others are asked all the same.
func (a *Activities) Prepare(ctx context.Context, in PrepareInput) (Prepared, error) {
	return a.onEach(ctx, in, func(d driver.Driver) orderFunc {
		if p, ok := d.(driver.Preparer); ok {
			return p.Prepare
		}
		return nil
	})
}

// Settle tells every target of a batch that runs the plan's release that the release is good.
func (a *Activities) Settle(ctx context.Context, in PrepareInput) (Prepared, error) {
	return a.onEach(ctx, in, func(d driver.Driver) orderFunc {
		s, ok := d.(driver.Settler)
		if !ok {
			return nil
		}
		return func(ctx context.Context, t fleet.Target, o driver.Order) error {
			err := s.Settle(ctx, t, o)
			if in.Overtaken && errors.Is(err, driver.ErrFenced) {
				return nil
			}
			return err
		}
	})
}

// onEach gives the plan's order to every target of a batch, in the way that a driver has for it.
func (a *Activities) onEach(ctx context.Context, in PrepareInput, way func(driver.Driver) orderFunc) (Prepared, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return Prepared{}, err
	}
	give := way(d)
	if give == nil {
		return Prepared{}, invalid(errors.New("this worker's driver cannot do what the workflow asks for: the workers are of different versions"))
	}
	work, err := a.toEach(ctx, in.Batch, p, orders{fence: in.Fence, give: give})
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{Ready: work.count(), Trouble: capReasons(work.trouble)}, nil
}
