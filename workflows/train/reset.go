package train

import (
	"cmp"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/train"
)

// Answered is a submission that has its place, by the id of its update: Temporal hands it over
// again when a run was reset.
type Answered struct {
	ID string `json:"id"`
	Submitted
}

// maxAnswered is how many of the newest are remembered.
const maxAnswered = 100

// began is the id of the run that has begun what a run goes on with: its own, unless the server has
// reset it.
func began(ctx workflow.Context) string {
	info := workflow.GetInfo(ctx)
	return cmp.Or(info.OriginalRunID, info.WorkflowExecution.RunID)
}

// fresh comes before anything that changes the ledger. A run that the server has reset has
// forgotten what the rollouts act by: it goes on with what the run before knew. The run's id is
// recorded where it changes.
func (r *run) fresh(ctx workflow.Context) {
	log, info := workflow.GetLogger(ctx), workflow.GetInfo(ctx)
	id := func(workflow.Context) any { return info.WorkflowExecution.RunID }
	same := func(a, b any) bool { return a == b }
	var now string
	if err := workflow.MutableSideEffect(ctx, "run id", id, same).Get(&now); err != nil {
		log.Warn("the id of the run was not read", "error", err)
	} else if now != r.id {
		r.id, r.adopting = now, true
		r.working++
		var s State
		if err := do(ctx, activities.TypeBeforeReset, "what the run knew that was reset", nil, &s); err != nil {
			log.Error("nobody knows what the train knew before it was reset", "error", err)
		} else {
			r.adopt(s)
		}
		r.adopting = false
		r.take(ctx, r.again())
		r.working--
	}
	_ = workflow.Await(ctx, func() bool { return !r.adopting }) // ctx is never cancelled
}

// adopt takes over what the run before knew. Its messages arrive once more: those of rollouts say
// nothing new, and none ends a hold.
func (r *run) adopt(s State) {
	r.State = s
	if r.Queued == nil {
		r.clear()
	}
	for dropped := true; dropped; {
		dropped = r.releases.ReceiveAsync(nil)
	}
}

// again is all that the run before may not have carried out.
func (r *run) again() (out []train.Command) {
	out = r.Ledger.Again()
	for _, o := range r.Ledger.Open {
		if _, starting := r.Queued[o.Number]; starting && o.State != train.Queued {
			out = append(out, train.Command{Start: o.Number, Standing: o.Told})
		}
	}
	return out
}
