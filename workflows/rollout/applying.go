package rollout

import (
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
)

// applying is a stage's cohort on its way to the release, batch by batch.
type applying struct {
	run      *run
	stage    int
	batches  []activities.Batch
	observed []activities.Observed
	// begun are the batches that may have been changed, complete those in which none is left to
	// try, and changed is how many targets of each were changed by now.
	begun, complete []bool
	changed         []int
	// out are the targets that an earlier round has left out.
	out []string
}

// round applies the batches that are not complete. It notes how to take a batch back before it
// starts the batch. It answers the troubles, and whether they have stopped it.
func (a *applying) round() (trouble []activities.Trouble, stopped bool, err error) {
	r, s := a.run, &a.run.State.Stages[a.stage]
	first, left := r.first(a.stage), r.allowance(a.stage)-s.Absent+s.Gone
	halt := func() bool { return beyond(trouble, left) }
	err = eachBatch(r.ctx, len(a.batches), batchesAtOnce, halt, func(ctx workflow.Context, n int) error {
		count := r.Roster.tally(a.batches[n], a.observed[n])
		if count.Todo == 0 || a.complete[n] {
			return nil
		}
		if !a.begun[n] {
			a.begun[n] = true
			r.Touched = append(r.Touched, count.exposure(a.stage, a.batches[n], a.observed[n]))
			r.State.Exposed += count.Changing
		}
		o := options(span("apply "+r.State.Release+" to", s.Name, a.batches[n], first), batchTimeout)
		o.WaitForCancellation = true // the way back does not race a cancelled apply
		var out activities.Applied
		err := r.do(ctx, o, activities.TypeApply, activities.ApplyInput{
			Batch: a.batches[n], Fence: r.State.Fence, Previous: a.observed[n].Previous, Tolerate: left, Out: a.out,
		}, &out)
		s.Changed += out.Changed - a.changed[n]
		a.changed[n], a.complete[n] = out.Changed, !beyond(out.Trouble, left)
		trouble = append(trouble, out.Trouble...)
		return err
	})
	return trouble, halt(), err
}

// beyond says that troubles stop a stage: more silence than may be left, or anything else.
func beyond(trouble []activities.Trouble, left int) bool {
	quiet, others := silent(trouble)
	return len(others) > 0 || len(quiet) > left
}
