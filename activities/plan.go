package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/store"
)

// maxPinned is how large a listed fleet's snapshot may be to be in the answer of Plan, in bytes:
// with its base64 it stays below Temporal's 2 MB.
const maxPinned = 1 << 20

// Plan cuts the fleet into cohorts and keeps the plan in the store. A submission without a fleet
// has it listed first; then the snapshot is part of the answer, if it is not too large, so that the
// workflow's history has it. Otherwise a retry answers the same.
func (a *Activities) Plan(ctx context.Context, in PlanInput) (Planned, error) {
	listed := in.FleetDigest == "" && len(in.FleetData) == 0 && in.Spec.Fleet.Listed()
	if listed {
		if err := a.pin(ctx, &in); err != nil {
			return Planned{}, err
		}
	}
	data := in.FleetData
	if len(data) == 0 {
		var err error
		if data, err = a.store.Get(ctx, in.FleetDigest); err != nil {
			return Planned{}, fmt.Errorf("read fleet snapshot %s: %w (start with the --store that the workers share)", in.FleetDigest, err)
		}
	}
	p, encoded, err := a.cut(in, data)
	if err != nil {
		return Planned{}, invalid(err)
	}
	d, err := a.newDriver(p.Spec)
	if err != nil {
		return Planned{}, invalid(fmt.Errorf("set up driver on the worker: %w", err))
	}
	out := Planned{
		Digest: store.Digest(encoded), Targets: len(p.Order), Stages: p.Stages,
		Prepares: driver.Prepares(d), Settles: driver.Settles(d),
	}
	if listed {
		out.FleetDigest = in.FleetDigest
		if len(data) <= maxPinned {
			out.FleetData = data
		}
	}
	if _, err := a.store.Put(ctx, encoded); err != nil {
		if len(out.FleetData) == 0 && (listed || len(in.FleetData) == 0) {
			return Planned{}, fmt.Errorf("keep plan: %w (the fleet is too large for the rollout's history, so the plan must lie in the store)", err)
		}
		out.StoreTrouble = rollout.Clip(err.Error(), maxReason)
	}
	a.remember(out.Digest, p)
	return out, nil
}

// cut is the plan of a submission whose fleet snapshot is at hand, also in the form that the store
// keeps.
func (a *Activities) cut(in PlanInput, snapshot []byte) (plan.Plan, []byte, error) {
	f, err := fleet.Decode(snapshot)
	if err != nil {
		return plan.Plan{}, nil, fmt.Errorf("read fleet snapshot %s: %w", in.FleetDigest, err)
	}
	p, err := plan.New(in.Spec, f, a.kinds)
	if err != nil {
		return plan.Plan{}, nil, fmt.Errorf("plan: %w", err)
	}
	encoded, err := plan.Encode(p)
	if err != nil {
		return plan.Plan{}, nil, fmt.Errorf("encode plan: %w", err)
	}
	return p, encoded, nil
}

// cutAgain makes a plan anew from the submission in the history of the workflow that has made it,
// so that a lost store keeps nobody from going back, unless the fleet's snapshot was too large to
// be there. A store that it is missing from gets it again.
func (a *Activities) cutAgain(ctx context.Context, digest string, by *rolloutOf, missing bool) (plan.Plan, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	if by != nil {
		run = workflow.Execution{ID: connect.DeploymentOf(activity.GetInfo(ctx).TaskQueue).RolloutID(by.unit, by.number)}
	}
	in, err := a.submission(ctx, run.ID, run.RunID)
	if err != nil {
		return plan.Plan{}, fmt.Errorf("read the rollout's submission: %w", err)
	}
	if len(in.FleetData) == 0 {
		return plan.Plan{}, fmt.Errorf("the fleet's snapshot %s was only in the lost store: restore its folder", in.FleetDigest)
	}
	p, encoded, err := a.cut(in, in.FleetData)
	if err != nil {
		return plan.Plan{}, err
	}
	if got := store.Digest(encoded); got != digest {
		return plan.Plan{}, fmt.Errorf("the submission makes plan %s now: this worker is of another version", got)
	}
	if !missing { // a store that hangs is not waited for once more
		a.remember(digest, p)
		return p, nil
	}
	if _, err := a.store.Put(ctx, encoded); err != nil {
		activity.GetLogger(ctx).Warn("the plan cannot be kept in the store", "error", err)
	}
	a.remember(digest, p)
	return p, nil
}

// validateAtMost bounds how many targets are asked before the first stage; the exec driver
// validates again on every target before it applies.
const validateAtMost = 50

// Validate asks the first targets of a batch whether they could run the release, changing nothing,
// and names those that refuse. A target that cannot answer is not a refusal: observing it comes
// next.
func (a *Activities) Validate(ctx context.Context, in ApplyInput) ([]Trouble, error) {
	p, d, doubts, err := a.openTo(ctx, in.Plan)
	if err != nil {
		return nil, err
	}
	targets := in.targets(p)
	targets = targets[:min(len(targets), validateAtMost)]
	work := &progress{done: make([]bool, len(targets))}
	stop := living(ctx)
	order := driver.Order{Unit: p.Spec.Unit, Release: p.Spec.Release, Fence: in.Fence}
	each(ctx, len(targets), in.Parallel, never, func(i int) {
		err := d.Validate(ctx, targets[i], order)
		work.reach.note(err)
		if isRefusal(err) {
			work.fail(Trouble{ID: targets[i].ID, Reason: err.Error()})
		}
	})
	stop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return work.trouble, a.doubtful(ctx, &work.reach, doubts, false, func(d doubt) any { return handed{d} })
}
