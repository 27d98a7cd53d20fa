package rollout

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/rollout"
)

// drill makes the stage's targets run what is new, where the spec says how, before the stage bakes.
// One that fails is harm.
func (r *run) drill(i int) error {
	if !r.spec.Drill.For(i) {
		return nil
	}
	s := &r.State.Stages[i]
	r.enter(rollout.PhaseDrill, fmt.Sprintf("running the drill on the targets of %s", s.Name))
	var trouble []activities.Trouble
	batches, first, out := r.batches(i), r.first(i), r.Roster.unreached()
	err := eachBatch(r.ctx, len(batches), batchesAtOnce, never, func(ctx workflow.Context, n int) error {
		var failed []activities.Trouble
		err := r.do(ctx, options(span("drill", s.Name, batches[n], first), batchTimeout), activities.TypeDrill,
			activities.DrillInput{Batch: batches[n], Fence: r.State.Fence, Out: out}, &failed)
		trouble = append(trouble, failed...)
		return err
	})
	if err == nil && len(trouble) > 0 {
		err = &failure{why: fmt.Sprintf("the drill of %s failed on %d of %d targets: %s", s.Name, len(trouble), s.Cohort, listed(trouble))}
	}
	return err
}
