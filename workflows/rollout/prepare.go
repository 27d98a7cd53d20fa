package rollout

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/rollout"
)

// prepare has the whole fleet fetch, verify and check the release before the first stage, where the
// driver can. Nothing is switched, so a target that refuses refuses the rollout, and nothing goes
// back.
func (r *run) prepare() error {
	if !r.Planned.Prepares || r.State.Prepared > 0 {
		return nil
	}
	r.enter(rollout.PhasePrepare, fmt.Sprintf("every target fetches, verifies and checks %s; none switches to it", r.State.Release))
	ready, trouble, err := r.onFleet(r.ctx, activities.TypePrepare, "ready "+r.State.Release+" on")
	if err != nil {
		return err
	}
	r.State.Prepared = ready
	quiet, others := silent(trouble)
	switch {
	case len(others) > 0:
		return &failure{refused: true, reason: rollout.RefusedRelease, trouble: trouble, why: fmt.Sprintf(
			"%d of %d targets cannot run %s: %s", len(others), r.State.Targets, r.State.Release, listed(others))}
	case len(quiet) > r.mayBeSilent():
		return &failure{refused: true, reason: rollout.RefusedRelease, trouble: trouble, why: fmt.Sprintf(
			"%d of %d targets do not answer, %d may: %s", len(quiet), r.State.Targets, r.mayBeSilent(), listed(quiet))}
	}
	return nil
}

// mayBeSilent is how many targets all stages together tolerate.
func (r *run) mayBeSilent() int {
	n := 0
	for i, s := range r.Planned.Stages {
		n += r.spec.Stages[i].Unreachable(s.Size())
	}
	return n
}

// tellGood tells every target that the release is good, where the driver does so: from then on it
// is what an agent goes back to by itself. Nothing takes the release back any more, so an abort
// comes too late.
func (r *run) tellGood(o *rollout.Outcome) {
	if !r.Planned.Settles || r.bare() { // what a younger rollout has taken is told by that one
		return
	}
	r.enter(rollout.PhaseSettle, "telling every target that "+r.State.Release+" is good")
	_, trouble, err := r.onFleet(r.base, activities.TypeSettle, "settle "+r.State.Release+" on")
	switch {
	case err != nil:
		o.Why += "; nobody knows which targets take it for good: " + Plainly(err)
	case len(trouble) > 0:
		o.Troubled = troubled(trouble)
		o.Why += fmt.Sprintf("; %d of them have not heard that it is good: %s", len(trouble), listed(trouble))
	}
}

// troubled names targets for an outcome.
func troubled(ts []activities.Trouble) (out []rollout.TargetTrouble) {
	for _, t := range ts {
		out = append(out, rollout.TargetTrouble{ID: t.ID, Reason: t.Reason})
	}
	return out
}

// onFleet gives an order to the whole fleet, batch by batch.
func (r *run) onFleet(ctx workflow.Context, name, verb string) (ready int, trouble []activities.Trouble, err error) {
	batches := r.batchesOf(0, r.State.Targets, nil)
	err = eachBatch(ctx, len(batches), batchesAtOnce, never, func(ctx workflow.Context, n int) error {
		b := batches[n]
		o := options(fmt.Sprintf("%s targets %d-%d of the fleet", verb, b.From+1, b.To), batchTimeout)
		var out activities.Prepared
		err := r.do(ctx, o, name, activities.PrepareInput{Batch: b, Fence: r.State.Fence, Overtaken: r.handedOn()}, &out)
		ready += out.Ready
		trouble = append(trouble, out.Trouble...)
		return err
	})
	return ready, trouble, err
}
