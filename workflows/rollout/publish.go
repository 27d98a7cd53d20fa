package rollout

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// attributes are what the search attributes of a rollout say.
type attributes struct{ stage, phase, outcome string }

// enter notes what the rollout does now, where people look for it.
func (r *run) enter(p rollout.Phase, why string) {
	if p != r.State.Phase {
		tags := map[string]string{"unit": r.State.Unit, "phase": string(p)}
		workflow.GetMetricsHandler(r.base).WithTags(tags).Counter("sluice_rollout_phases").Inc(1)
	}
	r.State.Enter(p, why, workflow.Now(r.base))
	r.index()
	r.publish()
	r.announce(p, why)
}

// index updates the search attributes, on changes that are worth an event: a new stage, waiting for
// a person, going back, the end.
func (r *run) index() {
	now := attributes{stage: r.State.StageName(), phase: string(r.State.Phase.Indexed())}
	if o := r.State.Outcome; o != nil {
		now.outcome = string(o.Result)
	}
	if now == r.shown {
		return
	}
	updates := []temporal.SearchAttributeUpdate{connect.AttrPhase.ValueSet(now.phase)}
	if now.stage != r.shown.stage {
		updates = append(updates, connect.AttrStage.ValueSet(now.stage))
	}
	if now.outcome != "" {
		updates = append(updates, connect.AttrOutcome.ValueSet(now.outcome))
	}
	r.shown = now
	if err := workflow.UpsertTypedSearchAttributes(r.base, updates...); err != nil {
		workflow.GetLogger(r.base).Warn("search attributes were not updated", "error", err)
	}
}

// publish puts the state into the workflow's details in the Web UI.
func (r *run) publish() {
	workflow.SetCurrentDetails(r.base, rollout.Details(r.State))
}
