package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/train"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
	trains "github.com/sluicehq/sluice/workflows/train"
)

// submitToTrain asks the unit's train for a place, and starts the train where there is none. A
// reply that is lost does no harm: the same spec and fleet, while they are under way, get the same
// place.
func (r *remote) submitToTrain(ctx context.Context, con *console, l loaded, sub workflows.Submission) (started, error) {
	unit := sub.Spec.Unit
	if v, err := r.look(ctx, unit, ""); err == nil && v.running() && v.WorkflowID == r.deployment.WorkflowID(unit) {
		return started{}, refusedf(reasonRunning, "refused: a rollout of %s runs outside of the train, release %s: "+
			"wait for its end, or abort it\n"+
			"  follow it: sluice watch %s",
			unit, v.Release, unit)
	}
	in := trains.Submit{Submission: sub, Input: inputOf(sub), Every: sub.Spec.Train.Every}
	if sub.Override != nil {
		in.Override = sub.Override.Why
	}
	place, err := r.place(ctx, unit, in)
	if refused, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return started{}, refusedf(reasonBarred, "refused: %s\n"+
			"  to let it in all the same: sluice start … --override --why \"…\"", refused.Message())
	}
	if _, refused := errors.AsType[*exitError](err); refused {
		return started{}, err
	}
	if err != nil {
		return started{}, r.explainCall(fmt.Errorf("submit %s to the train of %s: %w", sub.Spec.Release, unit, err))
	}
	id := r.deployment.RolloutID(unit, int64(place.Number))
	s := started{
		Unit: fmt.Sprintf("%s:%d", unit, place.Number), Release: sub.Spec.Release, Version: sub.Spec.Version, By: sub.By, WorkflowID: id,
		Targets: len(l.plan.Order), Stages: len(l.spec.Stages),
	}
	if place.Same {
		return s, refusedf(reasonSame, "already under way: rollout %d has the same spec and fleet\n"+
			"  follow it: sluice watch %s", place.Number, s.Unit)
	}
	if place.Waits != "" {
		con.say("rollout %d waits: %s", place.Number, place.Waits)
	}
	s.RunID = r.runOf(ctx, id, startedWithin)
	s.URL = r.link(id, s.RunID)
	return s, nil
}

// startedWithin is how long a start waits for its rollout to begin. One that is submitted while
// another goes back begins later.
const startedWithin = 10 * time.Second

// runOf is the id of a rollout's run, once it has begun; empty if it does not within a while.
func (r *remote) runOf(ctx context.Context, id string, within time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		if d, err := r.describe(ctx, id, ""); err == nil {
			return d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		}
		if pause.For(ctx, 300*time.Millisecond) != nil {
			return ""
		}
	}
}

// afresh is what a train begins with: its numbers and fences go on above those of one that somebody
// has terminated, and what that one has barred or held stays so. It is an error while a rollout of
// that one is under way: nobody would keep the new ones behind it.
func (r *remote) afresh(ctx context.Context, unit string) (trains.State, error) {
	s := trains.State{Unit: unit}
	d, err := r.describe(ctx, r.deployment.TrainID(unit), "")
	if err == nil && d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return s, nil
	}
	if err != nil && !is[*serviceerror.NotFound](err) {
		return s, err
	}
	before, err := r.listed(ctx, unit, "")
	if err != nil {
		return s, err
	}
	last := slices.Max(append(before, 0))
	for {
		next, err := r.began(ctx, unit, last+1) // a list does not know yet what has begun just now
		if err != nil {
			return s, err
		}
		if next == unknown {
			break
		}
		last++
	}
	for n := last; n > max(0, last-maxLookedBack); n-- {
		switch status, err := r.began(ctx, unit, n); {
		case err != nil:
			return s, err
		case status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
			return s, refusedf(reasonRunning, "refused: the train of %s was ended by hand, and its rollout %d is under way: "+
				"wait for its end, or abort it\n"+
				"  to abort it: sluice abort %[1]s:%[2]d --why \"…\"", unit, n)
		}
	}
	if d != nil {
		ended, err := r.train(ctx, unit)
		if err != nil {
			return s, err
		}
		s.Ledger = ended
	}
	s.Ledger = s.Ledger.After(train.Number(last))
	return s, nil
}

// maxLookedBack is how many of the newest rollouts are looked at for one that a train has left.
const maxLookedBack = 50

// began is how a rollout of a train stands.
func (r *remote) began(ctx context.Context, unit string, n int64) (enumspb.WorkflowExecutionStatus, error) {
	d, err := r.describe(ctx, r.deployment.RolloutID(unit, n), "")
	if is[*serviceerror.NotFound](err) {
		return unknown, nil
	}
	return d.GetWorkflowExecutionInfo().GetStatus(), err
}

// unknown is the status of what Temporal does not know.
const unknown = enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED

// place is the answer of a unit's train to a submission.
func (r *remote) place(ctx context.Context, unit string, in trains.Submit) (trains.Submitted, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*callTimeout)
	defer cancel()
	var out trains.Submitted
	state, err := r.afresh(ctx, unit)
	if err != nil {
		return out, err
	}
	start := r.client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: r.deployment.TrainID(unit), TaskQueue: r.deployment.TaskQueue(),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes: temporal.NewSearchAttributes(connect.AttrUnit.ValueSet(unit), connect.AttrPhase.ValueSet(train.Ledger{}.Word()),
			connect.AttrNumber.ValueSet(strconv.FormatInt(int64(state.Ledger.Last), 10))),
		StaticSummary: "the train of " + unit,
	}, connect.TrainType, state)
	h, err := r.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName: connect.UpdateSubmit, Args: []any{in}, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err != nil {
		return out, err
	}
	return out, h.Get(ctx, &out)
}

// inputOf is the digest of what makes a submission the same as another: its spec and its fleet.
func inputOf(sub workflows.Submission) string {
	data, _ := json.Marshal(sub.Spec) // it was read from text
	sum := sha256.Sum256(append(data, sub.FleetDigest...))
	return hex.EncodeToString(sum[:])
}
