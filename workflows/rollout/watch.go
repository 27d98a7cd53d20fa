package rollout

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// watchEnd says which look ends a watch before its time, beside one that shows harm.
type watchEnd int

const (
	// untilTime: none does.
	untilTime watchEnd = iota
	// untilPass: one where every check passes.
	untilPass
	// untilShown: one where every check has shown enough for an adaptive bake.
	untilShown
)

// watchUntil watches the stage while a clock runs down. The clock stands still while the rollout is
// paused. It returns what is left of the clock when over holds or when a look has ended it, and
// zero when time is up. Harm is an error.
func (j *judging) watchUntil(clock time.Duration, summary string, end watchEnd, over func() bool) (time.Duration, error) {
	r := j.run
	for clock != 0 && !over() && r.ctx.Err() == nil {
		if r.historyFull() {
			return clock, errContinueAsNew
		}
		paused := r.State.Paused != nil
		ticking := clock != forever && !paused
		began, until := workflow.Now(r.ctx), workflow.Now(r.ctx).Add(idleWatch)
		timerCtx, stopTimer := workflow.WithCancel(r.ctx)
		rung := func() bool { return false }
		r.State.Stages[j.stage].BakeEnds = time.Time{}
		if ticking {
			until = began.Add(clock)
			r.State.Stages[j.stage].BakeEnds = until
			timer := workflow.NewTimerWithOptions(timerCtx, clock, workflow.TimerOptions{Summary: summary})
			rung = timer.IsReady
		}
		j.watching(ticking)
		r.publish() // with when the clock ends now
		before := j.Watched.For
		in := activities.WatchInput{HealthInput: j.Input, Until: until, UntilPass: end == untilPass}
		if end == untilShown && ticking {
			in.Enough = began.Add(j.least(clock))
		}
		ended, err := j.watch(in, ticking, func() bool {
			return over() || rung() || (r.State.Paused != nil) != paused || r.historyFull() || r.armsChanged()
		})
		stopTimer()
		left := clock
		if ticking {
			clock = max(0, clock-r.stopped().Sub(began))
		}
		j.watched(before, left-clock, workflow.Now(r.ctx))
		if err != nil || ended {
			return clock, err
		}
	}
	return clock, r.ctx.Err()
}

// stopped is when a clock that ran stopped: now, or when the pause that stopped it arrived, since
// the watch has ended only after its next look.
func (r *run) stopped() time.Time {
	if r.State.Paused != nil {
		return r.State.Paused.At
	}
	return workflow.Now(r.ctx)
}

// least is how much longer an adaptive bake lasts at least, when left is how much longer it lasts
// at most.
func (j *judging) least(left time.Duration) time.Duration {
	s := j.run.spec.Stages[j.stage]
	return max(0, s.Adaptive.Min.Std()-(s.Bake.Std()-left))
}

// idleWatch is how long one watch activity lasts while no clock runs.
const idleWatch = 24 * time.Hour

// watch judges the stage until stop holds, and answers whether a look ended it. A watch that ends
// by itself, for example with an error, is started again after 5 seconds, then after 10, and so on:
// a broken source must not fill the history. With ticking, a timer rings at until.
func (j *judging) watch(in activities.WatchInput, ticking bool, stop func() bool) (ended bool, err error) {
	r, until := j.run, in.Until
	for wait := firstWatchRetry; !stop(); wait = min(2*wait, lastWatchRetry) {
		if r.bare() {
			return false, r.await(r.ctx, stop)
		}
		ctx, cancel := workflow.WithCancel(r.ctx)
		r.arms(&j.Input.StageRef)
		in.HealthInput, in.Until, in.Watched, in.Bake = j.Input, until, j.Watched, j.baking()
		f := workflow.ExecuteActivity(j.watchOptions(ctx, until), activities.TypeWatch, in)
		if err := r.await(r.ctx, func() bool { return f.IsReady() || stop() }); err != nil {
			return false, err
		}
		if err := r.ctx.Err(); err != nil { // the way back does not wait for a watch
			return false, err
		}
		if workflow.Now(ctx).Before(until) {
			cancel() // else it ends by itself, after a last look
		}
		// A watch hears that it is cancelled with its next look: an abort does not wait for that.
		if err := r.await(r.ctx, f.IsReady); err != nil {
			return false, err
		}
		r.lookEnds()
		var out activities.StageReport
		err = f.Get(r.ctx, &out)
		cancel()
		switch {
		case r.ctx.Err() != nil: // also when the cancelled watch has answered in time
			return false, r.ctx.Err()
		case err == nil:
			j.take(out)
		case !temporal.IsCanceledError(err):
			j.takeBeat(err)
			workflow.GetLogger(ctx).Warn("watch ended without a report", "stage", r.State.Stages[j.stage].Name, "error", err)
		}
		if err == nil && j.Last.Verdict() == health.Fail && !j.excused() {
			if j.leavesOut() {
				continue
			}
			return false, j.harm()
		}
		if err == nil && in.Ends(out) {
			return true, nil
		}
		switch left := until.Sub(workflow.Now(ctx)); {
		case ticking && left <= 0: // the timer is about to ring
			err = r.await(r.ctx, stop)
		case left <= 0:
			until = workflow.Now(ctx).Add(idleWatch)
		default:
			err = r.awaitFor(r.ctx, wait, "look again at "+r.State.Stages[j.stage].Name, stop)
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// excused says that a person has passed what the watch has just seen fail.
func (j *judging) excused() bool {
	by := j.override(j.Last)
	return by != nil && by.Override
}

// How long after a watch that ended before its time the next one is started.
const (
	firstWatchRetry = 5 * time.Second
	lastWatchRetry  = 10 * time.Minute
)

// harm records that the watch saw a check fail.
func (j *judging) harm() error {
	d, why := rollout.Decide(j.Last, nil)
	j.record(rollout.Gate{Decision: d, Why: why, At: workflow.Now(j.run.ctx), Report: j.Last})
	return &failure{why: why, report: &j.Last}
}

func (j *judging) watchOptions(ctx workflow.Context, until time.Time) workflow.Context {
	s := j.run.spec.Stages[j.stage]
	limit := until.Sub(workflow.Now(ctx)) + max(time.Minute, s.DecideWithin.Std())
	o := looking(options("watch "+s.Name, limit), j.run.spec.Health.Every.Std())
	// Over all attempts: a watch that cannot run does not keep the gate waiting.
	o.ScheduleToCloseTimeout = limit
	o.WaitForCancellation = true
	return workflow.WithActivityOptions(ctx, o)
}
