package rollout

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// suspectsWithin is how long the newest rollouts of other units are asked for, over all attempts.
const suspectsWithin = time.Minute

// askSuspects asks, beside the way back, what the units that the rollout may have woken run, and
// tells those that are watched on to go back, where the spec says so. It answers a function that
// adds to an outcome what is known.
func (r *run) askSuspects(o rollout.Outcome) func(*rollout.Outcome) {
	if len(r.spec.Activates) == 0 || o.Result != rollout.PhaseRolledBack {
		return func(*rollout.Outcome) {}
	}
	opts := options("ask which releases may have been woken", 20*time.Second)
	opts.ScheduleToCloseTimeout = suspectsWithin
	opts.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1}
	self := rollout.SuspectOf(r.State)
	self.Trigger, self.Exposed = true, r.State.Exposed
	asked := workflow.ExecuteActivity(workflow.WithActivityOptions(r.base, opts), activities.TypeSuspects, activities.SuspectsInput{
		Units: r.spec.Activates, Back: r.spec.OnRegression == spec.OnRegressionBoth, ID: workflow.GetInfo(r.base).OriginalRunID,
		By: "the rollout of " + r.State.Unit, Why: r.State.Unit + " " + r.State.Release + " may have woken it: " + o.Why,
	})
	return func(o *rollout.Outcome) {
		var woken []rollout.Suspect
		if err := asked.Get(r.base, &woken); err != nil {
			o.Why += "; nobody knows what else was woken: " + Plainly(err)
			return
		}
		o.Suspects = rollout.RankSuspects(append([]rollout.Suspect{self}, woken...))
		o.Why += "; " + rollout.SuspectWords(o.Suspects, workflow.Now(r.base))
	}
}
