package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// revertTouched puts every touched batch back, newest first, and notes which targets did not come
// back. Every target is tried once before any is tried again: a target that does not answer keeps
// no other on the release.
func (b *wayBack) revertTouched() {
	r := b.run
	whole := make([]leftover, 0, len(r.Touched))
	for _, t := range slices.Backward(r.Touched) {
		whole = append(whole, leftover{Exposure: t, Only: t.Only})
	}
	var again []leftover
	giveUp := workflow.Now(r.base).Add(r.spec.Rollback.Deadline.Std())
	for _, l := range b.revertAll(whole, time.Time{}, giveUp, batchesAtOnce) {
		final, open := l.split()
		if len(final.Troubles) > 0 {
			b.Left = append(b.Left, final)
		}
		if len(open.Troubles) > 0 {
			again = append(again, open)
		}
	}
	again = b.withoutGone(again)
	b.revertUntilDeadline(append(again, b.found(again)...))
	if len(again) > 0 && len(r.State.Unreached) > 0 { // who was silent meanwhile may answer by now
		b.revertUntilDeadline(b.found(nil))
	}
}

// retry tries all that is left once more, whatever the reason was.
func (b *wayBack) retry() {
	var left []leftover
	for _, l := range b.Left {
		if l.Lost { // looked for again
			b.Outcome.Touched -= l.targets()
			continue
		}
		left = append(left, l)
	}
	b.Left, b.sure, b.run.State.Outcome = nil, nil, nil
	if b.run.since020 { // no state is locked and has no outcome
		b.run.enter(rollout.PhaseRollback, fmt.Sprintf("trying the %d targets that are left once more", notBack(left)))
	}
	b.revertUntilDeadline(append(left, b.found(left)...))
}

// revertUntilDeadline tries targets until the rollback's deadline, and keeps those that are left
// then.
func (b *wayBack) revertUntilDeadline(left []leftover) {
	if len(left) == 0 {
		return
	}
	r, o := b.run, b.Outcome
	deadline := workflow.Now(r.base).Add(r.spec.Rollback.Deadline.Std())
	phase := rollout.PhaseRollback
	if b.ClearingEarlier {
		phase = rollout.PhasePlanning
	}
	r.enter(phase, fmt.Sprintf("%d of %d touched targets are back; trying the others for up to %s",
		o.Reverted, o.Touched, r.spec.Rollback.Deadline))
	b.Left = append(b.Left, b.revertAll(left, deadline, deadline, len(left))...)
}

// revertAll reverts batches, or only some targets of a batch, and answers what was not reverted by
// the deadline. From giveUp on, an activity that cannot even begin is not tried again.
func (b *wayBack) revertAll(back []leftover, deadline, giveUp time.Time, atOnce int) []leftover {
	if len(back) == 0 {
		return nil
	}
	r, left := b.run, slices.Clone(back)
	for i, l := range left {
		if l.Troubles == nil {
			left[i].Troubles = l.unanswered(r.spanBack(l), errNotYet)
		}
	}
	b.show(left)
	share := max(1, r.spec.Rollback.Parallel/min(len(back), atOnce))
	_ = eachBatch(r.base, len(back), atOnce, never, func(ctx workflow.Context, i int) error { // f answers no error
		t := back[i].Exposure
		t.Parallel = share
		what := r.spanBack(back[i])
		out, err := b.revertBatch(ctx, what, giveUp, activities.RevertInput{
			Batch: t.Batch, Fence: cmp.Or(t.Back, r.backFence()), Inherited: t.Back != 0,
			Previous: t.Previous, Only: back[i].Only, Deadline: deadline, GiveUp: giveUp, Train: r.orderedBelow(),
			Forward: r.State.Fence, Younger: r.Coupling.Standing.Younger, Condemned: r.Coupling.Standing.Condemned,
			Since: r.Coupling.Standing.Since,
		})
		if out.Fenced == t.To-t.From && t.Stragglers == nil && t.Back == 0 {
			b.sure = append(b.sure, [2]int{t.From, t.To})
		}
		b.Outcome.Reverted += out.Reverted
		b.Outcome.Older += out.Older
		for _, to := range out.To {
			b.Outcome.Back = rollout.CountBack(b.Outcome.Back, to.Release, to.Targets)
		}
		r.State.Exposed -= out.Reverted + out.Older
		left[i] = leftover{Exposure: back[i].Exposure, Troubles: explained(out.Trouble, back[i].Troubles), Only: idsOf(out.Trouble)}
		if err != nil && errors.Is(err, errGivenUp) && back[i].Troubles != nil {
			left[i] = back[i]
		} else if err != nil {
			left[i].Only = back[i].Only
			left[i].Troubles = left[i].unanswered(what, err)
		}
		b.show(left)
		return nil
	})
	return slices.DeleteFunc(left, func(l leftover) bool { return len(l.Troubles) == 0 })
}

// revertBatch has a batch put back. It tries an activity that timed out once more: the workflow
// goes on only where there is a worker, and a worker that was away for hours is no reason to give
// up.
func (b *wayBack) revertBatch(
	ctx workflow.Context, what string, giveUp time.Time, in activities.RevertInput,
) (out activities.Reverted, err error) {
	r := b.run
	for range 2 {
		o := options(what, r.spec.Rollback.Deadline.Std()+batchTimeout)
		o.TaskQueue = connect.RollbackQueueOf(workflow.GetInfo(ctx).TaskQueueName)
		o.Priority = temporal.Priority{PriorityKey: 1} // waits behind no other kind
		o.ScheduleToCloseTimeout = max(0, giveUp.Sub(workflow.Now(ctx))) + batchTimeout
		err = b.do(ctx, o, activities.TypeRevert, in, &out)
		if _, timedOut := errors.AsType[*temporal.TimeoutError](err); !timedOut || r.State.GaveUp != nil {
			break
		}
	}
	if r.State.GaveUp == nil || err == nil || in.Only != nil { // else who is left has a name only in the plan
		return out, err
	}
	in.NameOnly = true
	o := options("name what is left of "+what, namedWithin)
	o.TaskQueue, o.ScheduleToCloseTimeout = connect.RollbackQueueOf(workflow.GetInfo(ctx).TaskQueueName), namedWithin
	err = r.do(ctx, o, activities.TypeRevert, in, &out)
	return out, err
}
