package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// failure is why a rollout goes back. Refused means that nothing was applied, and reason is the
// word for it.
type failure struct {
	why     string
	refused bool
	reason  string
	// declined means that targets have refused the release, and that nothing was changed so far. It
	// is refused once they are seen to run what they ran.
	declined bool
	report   *health.Report
	// trouble names targets for the outcome.
	trouble []activities.Trouble
	// unknown and ended are the way back's.
	unknown, ended bool
}

func (f *failure) Error() string { return f.why }

// validate asks the first cohort's targets whether they could run the release.
func (r *run) validate() error {
	b := r.batches(0)[0] // a refusal of one is one of all
	var refusals []activities.Trouble
	err := r.do(r.ctx, options("ask the first targets whether they can run the release", batchTimeout), activities.TypeValidate,
		activities.ApplyInput{Batch: b, Fence: r.State.Fence}, &refusals)
	if err != nil {
		return err
	}
	if len(refusals) > 0 {
		return &failure{
			refused: true, reason: rollout.RefusedRelease,
			why: fmt.Sprintf("release %s is not valid: %s", r.State.Release, listed(refusals)),
		}
	}
	return nil
}

// approval waits before a stage that needs it. Later stages ask for theirs while the one before is
// still watched.
func (r *run) approval(i int) error {
	r.wantStage(i)
	for why := r.blocked(i); why != ""; why = r.blocked(i) {
		phase := rollout.PhasePlanning
		if r.needsApproval(i) {
			r.ask(i)
			phase = rollout.PhaseApproval
		} else if r.State.Paused == nil {
			phase = rollout.PhaseTurn
		}
		r.wantStage(i)
		r.enter(phase, why)
		if err := r.await(r.ctx, func() bool { return r.blocked(i) != why || r.historyFull() }); err != nil {
			return err
		}
		if r.historyFull() {
			return errContinueAsNew
		}
	}
	return nil
}

// blocked says why stage i may not begin; empty if it may. After the last stage there is no stage
// i: then only a pause keeps the rollout from its end.
func (r *run) blocked(i int) string {
	switch {
	case r.needsApproval(i):
		within := ""
		if w := r.spec.Stages[i].ApproveWithin; w > 0 {
			within = fmt.Sprintf(" within %s, else it rolls back", w)
		}
		return fmt.Sprintf("stage %s needs approval%s: sluice approve %s", r.State.Stages[i].Name, within, r.name())
	case r.State.Paused != nil:
		within := ""
		if p := r.State.Paused; !p.Until.IsZero() {
			within = fmt.Sprintf(" for %s, then it rolls back", spec.Duration(p.Until.Sub(p.At)))
		}
		return fmt.Sprintf("paused by %s%s: sluice resume %s", r.State.Paused.By, within, r.name())
	}
	return r.turn(i)
}

func (r *run) needsApproval(i int) bool {
	return i < len(r.State.Stages) && r.State.Stages[i].Approval == spec.ApprovalRequired && r.State.Stages[i].ApprovedBy == nil
}

// stage takes one cohort to the release and returns when its gate has promoted.
func (r *run) stage(i int) error {
	r.State.Stage = i
	s := &r.State.Stages[i]
	if r.Suspended == nil && r.historyFull() {
		return errContinueAsNew
	}
	if r.Suspended == nil {
		exposed, err := r.expose(i)
		if err != nil {
			return err
		}
		if !exposed {
			r.passed(i)
			return nil
		}
	}
	j := r.newJudging(i)
	if err := j.untilPassed(); err != nil {
		return err
	}
	r.newest = j
	r.Roster.leaveOutSilent(s.Name, j.Last)
	r.passed(i)
	return nil
}

// passed notes how far the rollout has come with a stage.
func (r *run) passed(i int) {
	s := &r.State.Stages[i]
	s.DoneAt, s.LeftOut = workflow.Now(r.ctx), len(r.State.Unreached)
	s.Reached = s.Reach - s.LeftOut
	if r.stragglers(i) != nil { // a sweep is to reach all that there are
		s.Reached = r.State.Targets - s.LeftOut
	}
}

// expose puts the release on the stage's cohort. It answers whether there is anything to judge: of
// a sweep, all targets may be silent again.
func (r *run) expose(i int) (bool, error) {
	s := &r.State.Stages[i]
	s.StartedAt = workflow.Now(r.ctx)
	r.entered(i)
	observed, err := r.observe(i)
	if err != nil {
		return false, err
	}
	if s.Absent == s.Cohort {
		return false, nil
	}
	before, err := r.baseline(i)
	if err != nil {
		return false, err
	}
	// A pause that arrives while the stage is measured leaves the stage untouched.
	if err := r.await(r.ctx, func() bool { return r.State.Paused == nil }); err != nil {
		return false, err
	}
	s.MeasuredAt = workflow.Now(r.ctx)
	if err := r.apply(i, observed); err != nil {
		return false, err
	}
	if err := r.drill(i); err != nil {
		return false, err
	}
	s.AppliedAt = workflow.Now(r.ctx)
	r.Judged = activities.HealthInput{
		StageRef: r.ref(i), Previous: observed[0].Previous.Common, Since: s.AppliedAt, Before: before, Fence: r.State.Fence,
		Ran: ran(r.State.Stages[:i], s.AppliedAt),
	}
	return true, nil
}

// ran is how long the targets of some stages have run the release, added up over them.
func ran(stages []rollout.StageState, at time.Time) (all time.Duration) {
	for _, s := range stages {
		if !s.AppliedAt.IsZero() && at.After(s.AppliedAt) {
			all += time.Duration(s.Changed) * at.Sub(s.AppliedAt)
		}
	}
	return all
}

// ref names a stage to the judge.
func (r *run) ref(i int) activities.StageRef {
	ref := activities.StageRef{Plan: r.Planned.Digest, Stage: i, Absent: r.Roster.unreached(), Stragglers: r.stragglers(i)}
	ref.Taken, ref.Ahead = r.Coupling.Standing.Taken, r.Coupling.Standing.Ahead
	return ref
}

// observe reads what every target of the cohort runs, before anything is applied.
func (r *run) observe(i int) ([]activities.Observed, error) {
	s := &r.State.Stages[i]
	r.enter(rollout.PhaseObserve, fmt.Sprintf("reading what the %d targets of %s run now", s.Cohort, s.Name))
	batches := r.batches(i)
	out := make([]activities.Observed, len(batches))
	first := r.first(i)
	err := eachBatch(r.ctx, len(batches), batchesAtOnce, never, func(ctx workflow.Context, n int) error {
		return r.do(ctx, options(span("observe", s.Name, batches[n], first), batchTimeout), activities.TypeObserve,
			activities.ObserveInput{Batch: batches[n], Fence: r.State.Fence, Train: r.coupled()}, &out[n])
	})
	if err != nil {
		return nil, err
	}
	var trouble []activities.Trouble
	for n, o := range out {
		trouble = append(trouble, o.Trouble...)
		s.Already += o.Already
		r.State.Exposed += r.Roster.tally(batches[n], o).Found
	}
	if why := r.tolerate(i, trouble); why != "" {
		return nil, &failure{
			refused: len(r.Touched) == 0, reason: rollout.RefusedTargets,
			why: fmt.Sprintf("stage %s cannot start: %s", s.Name, why),
		}
	}
	return out, nil
}

// tolerate leaves out targets that do not answer, as many as the stage allows. It answers in words
// what the stage does not allow; empty if it allows everything.
func (r *run) tolerate(i int, trouble []activities.Trouble) string {
	trouble = r.withoutGone(i, trouble)
	s, allowed := &r.State.Stages[i], r.allowance(i)
	quiet, others := silent(trouble)
	if len(others) > 0 {
		return listed(trouble)
	}
	if i == 0 && s.Gone > 0 && s.Gone == s.Cohort {
		return "all its targets have left the fleet: start again with the fleet as it is"
	}
	if s.Absent += len(quiet); s.Absent-s.Gone > allowed {
		why := listed(quiet)
		if allowed > 0 {
			why += fmt.Sprintf(" (%d of %d targets do not answer, %d are tolerated)", s.Absent, s.Cohort, allowed)
		}
		return why
	}
	r.Roster.leaveOut(quiet)
	if len(quiet) > 0 && r.Roster.tooManyUnreached() {
		return fmt.Sprintf("%d targets of the fleet do not answer, more than a rollout can leave out: "+
			"take them from the fleet, or tolerate fewer", len(r.State.Unreached))
	}
	return ""
}

// baseline measures the stage's targets before they change.
func (r *run) baseline(i int) (health.Baseline, error) {
	r.enter(rollout.PhaseObserve, fmt.Sprintf("measuring the targets of %s before the change", r.State.Stages[i].Name))
	var b health.Baseline
	in := activities.BaselineInput{StageRef: r.ref(i), At: workflow.Now(r.ctx), Earlier: r.sub.Earlier}
	if i > 0 {
		in.Began = r.State.Stages[0].StartedAt
	}
	o := options("measure "+r.State.Stages[i].Name+" before the change", baselineTimeout)
	r.arms(&in.StageRef)
	err := r.do(r.ctx, o, activities.TypeBaseline, in, &b)
	r.lookEnds()
	return b, err
}

// apply puts the release on the cohort. Where nothing has stopped it but targets that had left the
// fleet, it goes on with the batches that are not complete.
func (r *run) apply(i int, observed []activities.Observed) error {
	s := &r.State.Stages[i]
	r.enter(rollout.PhaseApply, fmt.Sprintf("putting %s on the %d targets of %s", r.State.Release, s.Cohort, s.Name))
	a := applying{run: r, stage: i, observed: observed, batches: r.batches(i)}
	n := len(a.batches)
	a.begun, a.complete, a.changed = make([]bool, n), make([]bool, n), make([]int, n)
	for {
		trouble, stopped, err := a.round()
		if err != nil {
			return err
		}
		if why := r.tolerate(i, trouble); why != "" {
			return &failure{why: fmt.Sprintf("stage %s was not applied: %s", s.Name, why), declined: r.since020 && r.declined(trouble)}
		}
		quiet, _ := silent(trouble)
		r.Roster.noteExposed(idsOf(quiet), true)
		if a.out = append(a.out, idsOf(quiet)...); !stopped {
			return nil
		}
	}
}

// declined says that targets have refused the release, all that did not take it, and that no target
// is known to have been changed.
func (r *run) declined(trouble []activities.Trouble) bool {
	for _, s := range r.State.Stages {
		if s.Changed > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(trouble, func(t activities.Trouble) bool { return !t.Refused })
}

func never() bool { return false }

// listedAtMost is how many targets a sentence names; an outcome names all.
const listedAtMost = 5

// listed puts troubles into words, for a sentence.
func listed(ts []activities.Trouble) string {
	var parts []string
	for _, t := range ts[:min(len(ts), listedAtMost)] {
		parts = append(parts, t.ID+" "+t.Reason)
	}
	if more := len(ts) - listedAtMost; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more targets", more))
	}
	return strings.Join(parts, "; ")
}
