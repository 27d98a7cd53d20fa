package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// failure is why a rollout goes back. Refused means that nothing was applied.
type failure struct {
	why     string
	refused bool
	report  *health.Report
}

func (f *failure) Error() string { return f.why }

// validate asks the first cohort's targets whether they could run the release.
func (r *rollout) validate() error {
	b := r.batches(0, r.spec.Apply.Parallel)[0]
	ctx := workflow.WithActivityOptions(r.ctx, options("ask the first targets whether they can run the release", batchTimeout))
	var refusals []activities.Trouble
	err := workflow.ExecuteActivity(ctx, acts.Validate, activities.ApplyInput{Batch: b, Fence: r.state.Fence}).Get(ctx, &refusals)
	if err != nil {
		return err
	}
	if len(refusals) > 0 {
		return &failure{refused: true, why: fmt.Sprintf("release %s is not valid: %s", r.state.Release, listed(refusals))}
	}
	return nil
}

// approval waits before a stage that needs it. Later stages ask for theirs while
// the one before is still watched.
func (r *rollout) approval(i int) error {
	for why := r.blocked(i); why != ""; why = r.blocked(i) {
		phase := PhasePlanning
		if r.needsApproval(i) {
			phase = PhaseApproval
		}
		r.enter(phase, why)
		if err := workflow.Await(r.ctx, func() bool { return r.blocked(i) != why }); err != nil {
			return err
		}
	}
	return nil
}

// blocked says why stage i may not begin; empty if nothing keeps it. There may be
// no stage i: then only a pause keeps the last one from being left.
func (r *rollout) blocked(i int) string {
	switch {
	case r.needsApproval(i):
		return fmt.Sprintf("stage %s needs approval: sluice approve %s", r.state.Stages[i].Name, r.state.Unit)
	case r.state.Paused != nil:
		return fmt.Sprintf("paused by %s: sluice resume %s", r.state.Paused.By, r.state.Unit)
	}
	return ""
}

func (r *rollout) needsApproval(i int) bool {
	return i < len(r.state.Stages) && r.state.Stages[i].Approval == spec.ApprovalRequired && r.state.Stages[i].ApprovedBy == nil
}

// stage takes one cohort to the release and returns when its gate has promoted.
func (r *rollout) stage(i int) error {
	r.state.Stage = i
	s := &r.state.Stages[i]
	s.StartedAt = workflow.Now(r.ctx)
	observed, err := r.observe(i)
	if err != nil {
		return err
	}
	before, err := r.baseline(i)
	if err != nil {
		return err
	}
	if err := r.apply(i, observed); err != nil {
		return err
	}
	s.AppliedAt = workflow.Now(r.ctx)
	r.judged = activities.HealthInput{
		StageRef: activities.StageRef{Plan: r.planned.Digest, Stage: i},
		Previous: observed[0].Previous.Common, Since: s.AppliedAt, Before: before,
	}
	j := judging{rollout: r, stage: i, input: r.judged}
	if err := j.run(); err != nil {
		return err
	}
	s.DoneAt = workflow.Now(r.ctx)
	return nil
}

// observe reads what every target of the cohort runs, before anything is applied.
func (r *rollout) observe(i int) ([]activities.Observed, error) {
	s := &r.state.Stages[i]
	r.enter(PhaseObserve, fmt.Sprintf("reading what the %d targets of %s run now", s.Cohort, s.Name))
	batches := r.batches(i, r.spec.Apply.Parallel)
	out := make([]activities.Observed, len(batches))
	first := r.planned.Stages[i].From
	err := eachBatch(r.ctx, len(batches), batchesAtOnce, never, func(ctx workflow.Context, n int) error {
		ctx = workflow.WithActivityOptions(ctx, options(span("observe", s.Name, batches[n], first), batchTimeout))
		return workflow.ExecuteActivity(ctx, acts.Observe,
			activities.ObserveInput{Batch: batches[n], Fence: r.state.Fence}).Get(ctx, &out[n])
	})
	if err != nil {
		return nil, err
	}
	var trouble []activities.Trouble
	for _, o := range out {
		trouble = append(trouble, o.Trouble...)
		s.Already += o.Already
		r.state.Exposed += o.Already
	}
	if len(trouble) > 0 {
		return nil, &failure{
			refused: len(r.touched) == 0,
			why:     fmt.Sprintf("stage %s cannot start: %s", s.Name, listed(trouble)),
		}
	}
	return out, nil
}

// baseline measures the stage's targets before they change.
func (r *rollout) baseline(i int) (health.Baseline, error) {
	r.enter(PhaseObserve, fmt.Sprintf("measuring the targets of %s before the change", r.state.Stages[i].Name))
	ctx := workflow.WithActivityOptions(r.ctx, options("measure "+r.state.Stages[i].Name+" before the change", baselineTimeout))
	var b health.Baseline
	err := workflow.ExecuteActivity(ctx, acts.Baseline, activities.BaselineInput{
		StageRef: activities.StageRef{Plan: r.planned.Digest, Stage: i}, At: workflow.Now(ctx),
	}).Get(ctx, &b)
	return b, err
}

// apply puts the release on the cohort. Each batch's way back is noted before the
// batch is started.
func (r *rollout) apply(i int, observed []activities.Observed) error {
	s := &r.state.Stages[i]
	r.enter(PhaseApply, fmt.Sprintf("putting %s on the %d targets of %s", r.state.Release, s.Cohort, s.Name))
	batches := r.batches(i, r.spec.Apply.Parallel)
	first := r.planned.Stages[i].From
	var trouble []activities.Trouble
	halt := func() bool { return len(trouble) > 0 }
	err := eachBatch(r.ctx, len(batches), batchesAtOnce, halt, func(ctx workflow.Context, n int) error {
		count := batches[n].To - batches[n].From - observed[n].Already
		if count == 0 {
			return nil
		}
		r.touched = append(r.touched, exposure{Batch: batches[n], stage: i, previous: observed[n].Previous, count: count})
		r.state.Exposed += count
		ctx = workflow.WithActivityOptions(ctx, applying(options(span("apply "+r.state.Release+" to", s.Name, batches[n], first), batchTimeout)))
		var out activities.Applied
		err := workflow.ExecuteActivity(ctx, acts.Apply, activities.ApplyInput{
			Batch: batches[n], Fence: r.state.Fence, Previous: observed[n].Previous,
		}).Get(ctx, &out)
		s.Changed += out.Changed
		trouble = append(trouble, out.Trouble...)
		return err
	})
	if err != nil {
		return err
	}
	if len(trouble) > 0 {
		return &failure{why: fmt.Sprintf("stage %s was not applied: %s", s.Name, listed(trouble))}
	}
	return nil
}

func never() bool { return false }

// listedAtMost is how many targets a sentence names; an outcome names all.
const listedAtMost = 5

// listed words troubles for a sentence.
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
