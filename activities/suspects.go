package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// SuspectsInput asks for the newest rollouts of units that a failed one may have woken.
type SuspectsInput struct {
	Units []string `json:"units"`
	// Back tells those that are watched on to go back, by whom and why.
	Back bool   `json:"back,omitempty"`
	By   string `json:"by"`
	Why  string `json:"why"`
	// ID makes that happen once, however often the activity runs.
	ID string `json:"id"`
}

// rollouts reads and steers the rollouts of other units.
type rollouts interface {
	// newest is the newest rollout of a unit, with its run; found is false where there never was
	// one.
	newest(ctx context.Context, unit string) (s rollout.State, run string, found bool, err error)
	// abort tells a run to go back.
	abort(ctx context.Context, unit, run string, req rollout.ControlRequest) error
}

// newestWithin is how long one unit is asked for: the others are asked, too.
const newestWithin = 5 * time.Second

// Suspects answers the newest rollout of each unit. What is not known of one is said, and keeps
// nobody waiting.
func (a *Activities) Suspects(ctx context.Context, in SuspectsInput) ([]rollout.Suspect, error) {
	all := a.rollouts
	if all == nil {
		all = inTemporal{activity.GetClient(ctx), connect.DeploymentOf(activity.GetInfo(ctx).TaskQueue)}
	}
	out := make([]rollout.Suspect, len(in.Units))
	for i, unit := range in.Units {
		asking, cancel := context.WithTimeout(ctx, newestWithin)
		s, run, found, err := all.newest(asking, unit)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			out[i] = rollout.Suspect{Unit: unit, Unknown: rollout.Clip(err.Error(), maxReason)}
			continue
		case !found:
			out[i] = rollout.Suspect{Unit: unit}
			continue
		}
		out[i] = rollout.SuspectOf(s)
		if !in.Back || s.Phase != rollout.PhaseGuard {
			continue
		}
		if err := all.abort(ctx, unit, run, rollout.ControlRequest{By: in.By, Why: in.Why, ID: in.ID}); err != nil {
			return nil, fmt.Errorf("tell %s to go back: %w", unit, err)
		}
		out[i].ToldBack = true
	}
	return out, nil
}

// inTemporal are the rollouts of a deployment, by their workflows.
type inTemporal struct {
	client     client.Client
	deployment connect.Deployment
}

func (t inTemporal) newest(ctx context.Context, unit string) (s rollout.State, run string, found bool, err error) {
	id := t.deployment.WorkflowID(unit)
	d, err := t.client.DescribeWorkflowExecution(ctx, id, "")
	if _, none := errors.AsType[*serviceerror.NotFound](err); none {
		return s, "", false, nil
	}
	if err != nil {
		return s, "", false, err
	}
	run = d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	if d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return s, run, true, t.client.GetWorkflow(ctx, id, run).Get(ctx, &s)
	}
	answer, err := t.client.QueryWorkflow(ctx, id, run, rollout.QueryStatus)
	if err != nil {
		return s, run, true, err
	}
	return s, run, true, answer.Get(&s)
}

func (t inTemporal) abort(ctx context.Context, unit, run string, req rollout.ControlRequest) error {
	return t.client.SignalWorkflow(ctx, t.deployment.WorkflowID(unit), run, rollout.SignalAbort, req)
}
