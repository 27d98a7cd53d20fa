package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// wayBack is a rollback under way.
type wayBack struct {
	run     *run
	Outcome rollout.Outcome `json:"outcome"`
	// Result is the outcome's result once every target is back.
	Result rollout.Phase `json:"result"`
	// Harm says that a check failed. Whether that check recovers tells whether the change
	// was the cause. Condemned are those that failed.
	Harm      bool               `json:"harm"`
	Condemned []health.Condemned `json:"condemned,omitempty"`
	// Tries counts how often a person had it tried again.
	Tries int `json:"tries,omitempty"`
	// Settling says that earlier runs' targets are taken back before the rollout begins.
	Settling bool `json:"settling,omitempty"`
	// Unknown says that nobody knows what earlier runs have left: only the targets do.
	Unknown bool `json:"unknown,omitempty"`
	// Declined says that targets have refused the release before anything was changed.
	Declined bool `json:"declined,omitempty"`
	// Ended says that a run that had ended was reset: what it has left on the release stays.
	Ended bool `json:"ended,omitempty"`
	// Left is what did not come back, after at least one try; nil before.
	Left []leftover `json:"left,omitempty"`
	sure [][2]int   // From and To of batches whose targets were all seen back just now, with a fence that keeps late orders out
}

// rollback takes back what the rollout touched, newest exposure first, and ends
// the rollout. It runs on a context that nothing cancels. Its only error is
// errContinueAsNew.
func (r *run) rollback(cause error) error {
	r.goesBack()
	o := r.verdict(cause)
	o.Touched = r.changed()
	var f *failure
	as := errors.As(cause, &f)
	r.Back = &wayBack{
		run: r, Outcome: o, Result: o.Result,
		Unknown: as && f.unknown, Ended: as && f.ended, Declined: as && f.declined && o.Result == rollout.PhaseRefused,
		Harm: as && f.report != nil && f.report.Verdict() == health.Fail && o.Result == rollout.PhaseRolledBack,
	}
	if r.Back.Harm {
		r.Back.Condemned = f.report.Condemned()
	}
	if len(r.Touched) > 0 {
		r.enter(rollout.PhaseRollback, o.Why)
	}
	name := r.askSuspects(o)
	r.Back.revertTouched()
	name(&r.Back.Outcome)
	return r.Back.finish()
}

// finish waits, as long as targets are left, for a person to have them tried again
// or to give up; then it ends the rollout.
func (b *wayBack) finish() error {
	o := &b.Outcome
	for len(b.Left) > 0 && b.run.State.GaveUp == nil {
		if b.Left = b.withoutGone(b.Left); len(b.Left) == 0 {
			break
		}
		o.Result, o.NotReverted, o.NotBack = rollout.PhaseIncomplete, named(b.Left), notBack(b.Left)
		again, err := b.locked()
		if err != nil {
			return err
		}
		if again {
			b.Tries++
			b.retry()
		}
	}
	o.GaveUp = b.run.State.GaveUp
	if b.run.since020 {
		o.Unreached = b.run.State.Unreached
	}
	o.NotReverted, o.NotBack = named(b.Left), notBack(b.Left)
	o.Result = rollout.PhaseIncomplete
	if len(o.NotReverted) == 0 {
		o.Result = b.Result
		if b.Harm && o.Reverted > 0 && o.GaveUp == nil {
			b.recovery(o)
		}
		if b.Declined { // nobody asked the others
			o.Touched, o.Reverted, o.Back, o.Why = 0, 0, nil, o.Why+"; all targets that were asked to take it run what they ran before"
		}
	}
	if o.Result != rollout.PhaseRefused {
		o.Reason = ""
	}
	b.run.conclude(*o, o.Result)
	return nil
}

// locked shows an incomplete rollback and waits. It answers whether the targets
// that are left shall be tried again.
func (b *wayBack) locked() (again bool, err error) {
	r, shown := b.run, b.Outcome
	shown.Reason = ""
	shown.Why += fmt.Sprintf("; %d of %d touched targets not known to be back: "+
		"the unit is locked until sluice retry-rollback %[3]s, or sluice give-up %[3]s --why …", shown.NotBack, shown.Touched, r.name())
	r.conclude(shown, rollout.PhaseLocked)
	err = r.await(r.base, func() bool { return r.State.RetryRollback != nil || r.State.GaveUp != nil || r.historyFull() })
	switch {
	case err != nil:
		return false, err
	case r.State.RetryRollback != nil:
		r.State.RetryRollback = nil
		return true, nil
	case r.State.GaveUp != nil:
		return false, nil
	}
	return false, errContinueAsNew
}

// nothingChanged ends the reason of a refusal.
const nothingChanged = "; nothing was changed"

// verdict words the cause of going back.
func (r *run) verdict(cause error) rollout.Outcome {
	var f *failure
	var app *temporal.ApplicationError
	switch {
	case r.withdrawn() != 0 && r.State.Aborted == nil && (!errors.As(cause, &f) || f == errOvertaken):
		return rollout.Outcome{Result: rollout.PhaseWithdrawn, Why: fmt.Sprintf("rollout %d went back, and this one contains it", r.withdrawn())}
	case r.State.Aborted != nil && r.State.Aborted.Signal == rollout.SignalDeadline && len(r.Touched) == 0:
		return rollout.Outcome{Result: rollout.PhaseRefused, Why: r.State.Aborted.Why + nothingChanged, Reason: rollout.RefusedUnapproved}
	case r.State.Aborted != nil && r.State.Aborted.Signal == rollout.SignalDeadline:
		return rollout.Outcome{Result: rollout.PhaseRolledBack, Why: r.State.Aborted.Why}
	case r.State.Aborted != nil:
		why := "aborted by " + r.State.Aborted.By
		if r.State.Aborted.Why != "" {
			why += ": " + r.State.Aborted.Why
		}
		return rollout.Outcome{Result: rollout.PhaseAborted, Why: why}
	case errors.As(cause, &f) && f.refused:
		return rollout.Outcome{Result: rollout.PhaseRefused, Why: f.why + nothingChanged, Reason: f.reason, Troubled: troubled(f.trouble)}
	case errors.As(cause, &f) && f.declined:
		return rollout.Outcome{Result: rollout.PhaseRefused, Why: f.why, Reason: rollout.RefusedRelease}
	case errors.As(cause, &f):
		return rollout.Outcome{Result: rollout.PhaseRolledBack, Why: f.why}
	case errors.As(cause, &app) && app.Type() == activities.ErrTypeInvalid && len(r.Touched) == 0:
		return rollout.Outcome{Result: rollout.PhaseRefused, Why: app.Message() + nothingChanged, Reason: rollout.RefusedSpec}
	}
	return rollout.Outcome{Result: rollout.PhaseRolledBack, Why: cause.Error()}
}

// revertTouched puts every touched batch back, newest first, and notes which targets did
// not come back. Every target is tried once before any is tried again: a target that does
// not answer keeps no other on the release.
func (b *wayBack) revertTouched() {
	r := b.run
	whole := make([]leftover, 0, len(r.Touched))
	for _, t := range slices.Backward(r.Touched) {
		whole = append(whole, leftover{Exposure: t})
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

// revertUntilDeadline tries targets until the rollback's deadline, and keeps those that
// are left then.
func (b *wayBack) revertUntilDeadline(left []leftover) {
	if len(left) == 0 {
		return
	}
	r, o := b.run, b.Outcome
	deadline := workflow.Now(r.base).Add(r.spec.Rollback.Deadline.Std())
	phase := rollout.PhaseRollback
	if b.Settling {
		phase = rollout.PhasePlanning
	}
	r.enter(phase, fmt.Sprintf("%d of %d touched targets are back; trying the others for up to %s",
		o.Reverted, o.Touched, r.spec.Rollback.Deadline))
	b.Left = append(b.Left, b.revertAll(left, deadline, deadline, len(left))...)
}

// revertAll reverts batches, or only some targets of a batch, and answers what was not
// reverted by the deadline. From giveUp on, an activity that cannot even begin is not
// tried again.
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

// revertBatch has a batch put back. It tries an activity that timed out once more: the
// workflow goes on only where there is a worker, and a worker that was away for hours is
// no reason to give up.
func (b *wayBack) revertBatch(
	ctx workflow.Context, what string, giveUp time.Time, in activities.RevertInput,
) (out activities.Reverted, err error) {
	r := b.run
	for range 2 {
		o := options(what, r.spec.Rollback.Deadline.Std()+batchTimeout)
		o.TaskQueue, o.Priority = connect.RollbackQueueOf(workflow.GetInfo(ctx).TaskQueueName), temporal.Priority{PriorityKey: 1} // waits behind no other kind
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

// How long a person who gives up waits to hear how far an activity has come, and to hear
// the names of targets that only the plan knows.
const (
	givenUpWithin = 3 * time.Second
	namedWithin   = 10 * time.Second
)

// do runs an activity of the way back, for as long as nobody gives up. Then it is
// cancelled, and tells how far it has come.
func (b *wayBack) do(ctx workflow.Context, o workflow.ActivityOptions, name string, in, out any) error {
	r := b.run
	if !r.since020 {
		return r.do(ctx, o, name, in, out)
	}
	if r.State.GaveUp != nil {
		return errGivenUp
	}
	o.WaitForCancellation = true
	under, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, o))
	f := workflow.ExecuteActivity(under, name, in)
	err := r.await(ctx, func() bool { return f.IsReady() || r.State.GaveUp != nil })
	if err == nil && !f.IsReady() {
		cancel()
		err = r.awaitFor(ctx, givenUpWithin, "hear how far the way back has come", f.IsReady)
	}
	if err != nil || !f.IsReady() {
		return cmp.Or(err, errGivenUp)
	}
	err = f.Get(ctx, out)
	c, cancelled := errors.AsType[*temporal.CanceledError](err)
	switch {
	case cancelled && c.HasDetails() && c.Details(out) == nil:
		return nil
	case cancelled: // between two attempts
		return errGivenUp
	}
	return err
}

// Why a target is left of which no try has told anything.
var (
	errNotYet  = errors.New("not rolled back yet")
	errGivenUp = errors.New("not known to be back when the rollback was given up")
)

// show tells what is left so far.
func (b *wayBack) show(trying []leftover) {
	left := slices.Concat(b.Left, trying)
	b.run.State.NotReverted, b.run.State.NotBack = named(left), notBack(left)
	b.run.publish()
}

// spanBack names a batch that is taken back; the stages of earlier runs are not known here.
func (r *run) spanBack(l leftover) string {
	if l.Exposure.Back != 0 {
		return span("revert", "an earlier run", l.Exposure.Batch, 0)
	}
	stage := l.Exposure.Stage
	return span("revert", r.State.Stages[stage].Name, l.Exposure.Batch, r.first(stage))
}

// recovery looks whether the checks that condemned the release recovered. If they did not, the
// change was probably not the cause, and the outcome says so. It changes nothing else.
func (b *wayBack) recovery(o *rollout.Outcome) {
	r := b.run
	limit := r.spec.Rollback.Recover.Std()
	back := cmp.Or(o.BackWord(), fmt.Sprintf("all %d touched targets are back", o.Reverted))
	r.enter(rollout.PhaseVerify, fmt.Sprintf("%s; watching %s for up to %s, to tell whether that cured it", back, cmp.Or(
		strings.Join(health.CheckNames(b.Condemned), ", "), "the checks"), r.spec.Rollback.Recover))
	opts := looking(options("look whether health recovers", limit+time.Minute), r.spec.Health.Every.Std())
	opts.ScheduleToCloseTimeout = limit + time.Minute
	now := workflow.Now(r.base)
	in := activities.RecoverInput{HealthInput: r.Judged, Until: now.Add(limit)}
	in.Since, in.State, in.Condemned, in.Ran = now, health.State{}, b.Condemned, 0
	var out activities.Judged
	if err := b.do(r.base, opts, activities.TypeRecover, in, &out); err != nil {
		o.Recovered, o.Why = rollout.RecoveredUnknown, o.Why+"; whether health recovered is unknown: "+Plainly(err)
		return
	}
	condemned := health.CheckNames(b.Condemned)
	if o.Recover(condemned, out.Report); o.Recovered == rollout.RecoveredNo {
		o.Why += "; THE ROLLBACK DID NOT CURE IT: " +
			rollout.Evidence(out.Report.Of(condemned), health.Fail)
	}
}
