package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/train"
)

// arms are whom a stage's checks are about. In a train, targets that a younger rollout has taken
// are not exposed any more, and only those are control that run what this rollout replaces: beyond
// it, and within what the next older one had reached.
func (a *Activities) arms(ctx context.Context, p plan.Plan, ref StageRef) (health.Binding, error) {
	b := binding(p, ref)
	if len(ref.Taken) == 0 && ref.Ahead == nil {
		return b, nil
	}
	var taken []string
	for _, r := range ref.Taken {
		ids, err := a.reached(ctx, p.Spec.Unit, r)
		if err != nil {
			return b, err
		}
		taken = append(taken, ids...)
	}
	left := present(taken)
	b.Exposed, b.Cohort, b.Control = left(b.Exposed), left(b.Cohort), left(b.Control)
	if ref.Ahead != nil {
		ids, err := a.reached(ctx, p.Spec.Unit, *ref.Ahead)
		if err != nil {
			return b, err
		}
		within := fleet.Set(ids)
		b.Control = slices.DeleteFunc(b.Control, func(t fleet.Target) bool { return !within[t.ID] })
	}
	return b, nil
}

// reached are the ids of the targets that a rollout of the train has reached.
func (a *Activities) reached(ctx context.Context, unit string, r train.Progress) ([]string, error) {
	p, err := a.planOf(ctx, unit, r)
	if err != nil {
		return nil, err
	}
	if r.Stages <= 0 {
		return nil, nil
	}
	return fleet.IDs(p.Exposed(min(r.Stages, len(p.Stages)) - 1)), nil
}

// rolloutOf names a rollout of a train.
type rolloutOf struct {
	unit   string
	number int64
}

// planOf is the plan of a rollout of the train.
func (a *Activities) planOf(ctx context.Context, unit string, r train.Progress) (plan.Plan, error) {
	p, err := a.loadOf(ctx, r.Plan, &rolloutOf{unit, int64(r.Number)})
	if err != nil {
		return p, fmt.Errorf("read the plan of rollout %d: %w", r.Number, err)
	}
	return p, nil
}
