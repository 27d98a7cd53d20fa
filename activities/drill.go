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

// Drill runs the spec's drill for every target of a batch that has the release, and names those for
// which it did not succeed. A drill that was cut off is run again: it must be repeatable, like an
// order.
func (a *Activities) Drill(ctx context.Context, in DrillInput) ([]Trouble, error) {
	p, err := a.load(ctx, in.Plan)
	if err != nil {
		return nil, err
	}
	if p.Spec.Drill == nil {
		return nil, invalid(errors.New("the plan has no drill"))
	}
	out := fleet.Set(in.Out)
	work, err := a.toEach(ctx, in.Batch, p, orders{
		fence: in.Fence, due: func(t fleet.Target) bool { return !out[t.ID] },
		give: func(ctx context.Context, t fleet.Target, o driver.Order) error {
			return driver.Drill(ctx, *p.Spec.Drill, t, o)
		},
	})
	if err != nil {
		return nil, err
	}
	return capReasons(work.trouble), nil
}
