package rollout

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// Undo asks to take back what an earlier run of the unit has touched. The submission is that run's:
// its spec and its fleet.
type Undo struct {
	// Run is the id of the run, or of the last where it has continued as new.
	Run string `json:"run"`
	// Why is the reason of who asked, who is the submission's By.
	Why string `json:"why"`
}

// undo enters the way back at once. It asks no check, before or after: a person has decided.
func (r *run) undo() error {
	u := r.sub.Undo
	r.State.Undoes = u.Run
	why := fmt.Sprintf("%s undoes the rollout of %s: %s (run %s)", r.sub.By, r.State.Release, rollout.PlainText(u.Why), u.Run)
	r.enter(rollout.PhaseRollback, why)
	err := r.plan()
	if err == nil {
		err = r.recall()
	}
	if err != nil {
		r.conclude(rollout.Outcome{
			Result: rollout.PhaseRefused, Reason: rollout.RefusedUndo, Why: why + ": " + Plainly(err) + nothingChanged, GaveUp: r.State.GaveUp,
		}, rollout.PhaseRefused)
		return nil
	}
	if r.reset { // one that had ended has done what it was for, and others may have begun since
		if left, err := r.earlier(r.base); err == nil && (left.Closed || left.Ended != nil) {
			return r.takeOver()
		}
	}
	r.State.Exposed = r.changed()
	r.Back = &wayBack{run: r, Outcome: rollout.Outcome{Why: why, Touched: r.changed()}, Result: rollout.PhaseUndone}
	r.Back.revertTouched()
	return r.Back.finish()
}

// recall reads from the history of the run to undo what that has touched.
func (r *run) recall() error {
	o := options("read what the rollout to undo has touched", inheritTimeout)
	o.TaskQueue, o.ScheduleToCloseTimeout = connect.RollbackQueueOf(workflow.GetInfo(r.base).TaskQueueName), time.Hour
	var earlier activities.Inherited
	b := wayBack{run: r}
	if err := b.do(r.base, o, activities.TypeInherit, activities.InheritInput{Undo: r.sub.Undo.Run}, &earlier); err != nil {
		return err
	}
	for i, t := range earlier.Touched {
		for n, s := range r.Planned.Stages {
			if t.Stragglers != nil || s.From <= t.From && t.From < s.To { // a sweep comes after the last
				earlier.Touched[i].Stage = n
			}
		}
	}
	r.Touched = earlier.Touched
	return nil
}
