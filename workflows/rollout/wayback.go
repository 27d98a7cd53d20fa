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
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// wayBack is a rollback under way.
type wayBack struct {
	run     *run
	Outcome rollout.Outcome `json:"outcome"`
	// Result is the outcome's result once every target is back.
	Result rollout.Phase `json:"result"`
	// Harm says that a check failed. Whether that check recovers tells whether the change was the
	// cause. Condemned are those that failed.
	Harm      bool               `json:"harm"`
	Condemned []health.Condemned `json:"condemned,omitempty"`
	// Tries counts how often a person had it tried again.
	Tries int `json:"tries,omitempty"`
	// ClearingEarlier says that earlier runs' targets are taken back before the rollout begins.
	ClearingEarlier bool `json:"settling,omitempty"`
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

// rollback takes back what the rollout touched, newest exposure first, and ends the rollout. It
// runs on a context that nothing cancels. Its only error is errContinueAsNew.
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

// finish waits, as long as targets are left, for a person to have them tried again or to give up;
// then it ends the rollout.
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

// locked shows an incomplete rollback and waits. It answers whether the targets that are left shall
// be tried again.
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

// How long a person who gives up waits to hear how far an activity has come, and to hear the names
// of targets that only the plan knows.
const (
	givenUpWithin = 3 * time.Second
	namedWithin   = 10 * time.Second
)

// do runs an activity of the way back, for as long as nobody gives up. Then it is cancelled, and
// tells how far it has come.
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
	var out activities.StageReport
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
