package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/train"
)

// StartRolloutInput asks to start a rollout of a train.
type StartRolloutInput struct {
	Unit    string `json:"unit"`
	Number  int64  `json:"number"`
	Release string `json:"release"`
	By      string `json:"by"`
	// Submission is what it is started with, a submission of package workflows/rollout.
	Submission any `json:"submission,omitempty"`
	// Again is its place in the train, in JSON, where it was ended by hand: it is started once
	// more, with what its first run was started with.
	Again any `json:"again,omitempty"`
}

// StartRollout starts a rollout of a train. One that is there with the same input was started by an
// earlier attempt.
func (a *Activities) StartRollout(ctx context.Context, in StartRolloutInput) error {
	return in.start(ctx, activity.GetClient(ctx), connect.DeploymentOf(activity.GetInfo(ctx).TaskQueue))
}

func (in StartRolloutInput) start(ctx context.Context, c client.Client, d connect.Deployment) error {
	id := d.RolloutID(in.Unit, in.Number)
	if in.Again != nil {
		sub, err := startedWith(ctx, c, id)
		if err != nil {
			return err
		}
		sub["train"] = in.Again
		delete(sub, "carried")
		in.Submission = sub
		if s, ok := sub["spec"].(map[string]any); ok {
			in.Release, _ = s["release"].(string)
		}
		in.By, _ = sub["by"].(string)
	}
	sub, err := plain(in.Submission)
	if err != nil {
		return invalid(err)
	}
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	if in.Again != nil {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	_, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: d.TaskQueue(), WorkflowIDReusePolicy: reuse,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			connect.AttrUnit.ValueSet(in.Unit), connect.AttrRelease.ValueSet(in.Release), connect.AttrPhase.ValueSet(string(rollout.PhaseIndexed)),
			connect.AttrNumber.ValueSet(strconv.FormatInt(in.Number, 10)),
		),
		Memo:          map[string]any{"by": in.By},
		StaticSummary: fmt.Sprintf("%s %s, rollout %d", in.Unit, in.Release, in.Number),
	}, connect.WorkflowType, in.Submission)
	if _, there := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !there {
		return err
	}
	is, err := startedWith(ctx, c, id)
	delete(is, "train") // where it stands may have changed meanwhile
	delete(sub, "train")
	if err == nil && !reflect.DeepEqual(is, sub) {
		err = invalid(fmt.Errorf("the workflow %s is there, and is another rollout", id))
	}
	return err
}

// plain is a submission as it is read from a history.
func plain(submission any) (out map[string]any, err error) {
	data, err := json.Marshal(submission)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}

// startedWith is what the first run of a workflow was started with.
func startedWith(ctx context.Context, c client.Client, id string) (map[string]any, error) {
	for run := ""; ; {
		e, err := c.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
		if _, deleted := errors.AsType[*serviceerror.NotFound](err); deleted {
			return nil, invalid(fmt.Errorf("read how %s was started: %w", id, err))
		}
		if err != nil {
			return nil, fmt.Errorf("read how %s was started: %w", id, err)
		}
		s := e.GetWorkflowExecutionStartedEventAttributes()
		if first := s.GetFirstExecutionRunId(); first != run && first != s.GetOriginalExecutionRunId() {
			run = first
			continue
		}
		var sub map[string]any
		if err := converter.GetDefaultDataConverter().FromPayloads(s.GetInput(), &sub); err != nil {
			return nil, fmt.Errorf("read how %s was started: %w", id, err)
		}
		return sub, nil
	}
}

// CompareInput names two rollouts of a train, each with its plan.
type CompareInput struct {
	Unit    string         `json:"unit"`
	Younger train.Progress `json:"younger"`
	Older   train.Progress `json:"older"`
}

// lastComparison is how often it is tried to compare plans of which one is lost.
const lastComparison = 10

// Compare compares the plans of two rollouts of a train.
func (a *Activities) Compare(ctx context.Context, in CompareInput) (train.Comparison, error) {
	var cuts [2]train.Cut
	for i, r := range []train.Progress{in.Younger, in.Older} {
		p, err := a.planOf(ctx, in.Unit, r)
		if errors.Is(err, store.ErrNotFound) && activity.GetInfo(ctx).Attempt >= lastComparison {
			err = invalid(err)
		}
		if err != nil {
			return train.Comparison{}, err
		}
		cuts[i] = CutOf(p)
	}
	return train.Comparison{Needs: train.Needs(cuts[0], cuts[1]), Covers: train.Covers(cuts[0], cuts[1])}, nil
}

// CutOf is how a plan cuts its fleet.
func CutOf(p plan.Plan) train.Cut {
	c := train.Cut{Order: fleet.IDs(p.Order)}
	for _, s := range p.Stages {
		c.To = append(c.To, s.To)
	}
	return c
}

// LookAfterInput names the rollouts of a train that should be running.
type LookAfterInput struct {
	Unit    string  `json:"unit"`
	Numbers []int64 `json:"numbers"`
}

// EndedRollout is one that does not run any more. An empty Result is that it was ended by hand.
type EndedRollout struct {
	Number   int64  `json:"number"`
	Result   string `json:"result,omitempty"`
	Why      string `json:"why,omitempty"`
	WentBack bool   `json:"wentBack,omitempty"`
}

// LookAfter answers which of some rollouts have ended.
func (a *Activities) LookAfter(ctx context.Context, in LookAfterInput) ([]EndedRollout, error) {
	c, d := activity.GetClient(ctx), connect.DeploymentOf(activity.GetInfo(ctx).TaskQueue)
	var out []EndedRollout
	for _, n := range in.Numbers {
		id := d.RolloutID(in.Unit, n)
		found, err := c.DescribeWorkflowExecution(ctx, id, "")
		if _, gone := errors.AsType[*serviceerror.NotFound](err); gone { // deleted, or not kept any more
			out = append(out, EndedRollout{Number: n})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for rollout %d: %w", n, err)
		}
		switch found.GetWorkflowExecutionInfo().GetStatus() {
		case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
			continue
		case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
			var s rollout.State
			if err := c.GetWorkflow(ctx, id, "").Get(ctx, &s); err != nil {
				return nil, fmt.Errorf("read how rollout %d has ended: %w", n, err)
			}
			if o := s.Outcome; o != nil {
				out = append(out, EndedRollout{
					Number: n, Result: string(o.Result), Why: o.Why,
					WentBack: o.Result.GoesBack() && o.Touched > 0 && o.Result != rollout.PhaseWithdrawn,
				})
				continue
			}
		}
		back, err := wentBack(c.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT))
		if err != nil {
			return nil, fmt.Errorf("read whether rollout %d had begun to go back: %w", n, err)
		}
		out = append(out, EndedRollout{Number: n, WentBack: back})
	}
	return out, nil
}

// wentBack says that a rollout has begun to take back what it had changed.
func wentBack(it client.HistoryEventIterator) (bool, error) {
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return false, err
		}
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == TypeRevert {
			return true, nil
		}
	}
	return false, nil
}

// BeforeReset is what the run of a train knew that the server has reset, as its query answers: this
// one was begun by that.
func (a *Activities) BeforeReset(ctx context.Context) (json.RawMessage, error) {
	c, of := activity.GetClient(ctx), activity.GetInfo(ctx).WorkflowExecution
	run := ""
	for events := c.GetWorkflowHistory(ctx, of.ID, of.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("read which run was reset: %w", err)
		}
		run = cmp.Or(e.GetWorkflowTaskFailedEventAttributes().GetBaseRunId(), run)
	}
	for next := run; next != "" && next != of.RunID; { // one that had continued as new knows less than the last
		run = next
		e, err := c.GetWorkflowHistory(ctx, of.ID, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT).Next()
		if err != nil {
			return nil, fmt.Errorf("read how the run before has ended: %w", err)
		}
		next = e.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	v, err := c.QueryWorkflow(ctx, of.ID, run, connect.QueryState)
	if _, deleted := errors.AsType[*serviceerror.NotFound](err); deleted {
		return nil, invalid(fmt.Errorf("ask the run that was reset: %w", err))
	}
	if err != nil {
		return nil, fmt.Errorf("ask the run that was reset: %w", err)
	}
	var out json.RawMessage
	err = v.Get(&out)
	return out, err
}
