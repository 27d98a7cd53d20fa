package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
)

// errNoRollout is matched when a unit never had a rollout, or not this run.
var errNoRollout = errors.New("no such rollout")

// lookOnce shows the rollout that a command line names as it is now, in words or as an object.
func lookOnce(ctx context.Context, con *console, c *cli.Context, words func(view) []string) error {
	r, err := dial(ctx, con, c)
	if err != nil {
		return err
	}
	defer r.client.Close()
	v, err := r.look(ctx, c.Args().First(), c.String("run-id"))
	if err != nil {
		return err
	}
	return con.answer(v, words(v))
}

// look asks Temporal, and a worker if one is up, about a unit's rollout: the newest, or the one of
// a run id. Where people read it, the digests of bundles are short.
func (r *remote) look(ctx context.Context, unit, runID string) (view, error) {
	v, err := r.lookWhole(ctx, unit, runID)
	return r.shown(v), err
}

// lookWhole is look for what is to be compared.
func (r *remote) lookWhole(ctx context.Context, unit, runID string) (view, error) {
	id := r.deployment.WorkflowID(unit)
	described, err := r.describe(ctx, id, runID)
	if runID == "" && (is[*serviceerror.NotFound](err) || err == nil && described.GetWorkflowExecutionInfo().GetCloseTime() != nil) {
		if newest, ok := r.newestInTrain(ctx, unit); ok {
			unit, id = newest, r.deployment.WorkflowID(newest)
			described, err = r.describe(ctx, id, runID)
		}
	}
	if err != nil {
		if is[*serviceerror.NotFound](err) {
			return view{}, &exitError{code: exitInvalid, err: r.notFound(ctx, unit, runID)}
		}
		if is[*serviceerror.InvalidArgument](err) && runID != "" {
			return view{}, invalidf("--run-id %q is not the id of a run: sluice list --unit %s --output json names them", runID, unit)
		}
		return view{}, r.explainCall(fmt.Errorf("look at the rollout of %s: %w", unit, err))
	}
	if info := described.GetWorkflowExecutionInfo(); info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
		// The rollout goes on in another run: the newest, unless there was another rollout since,
		// which then knows nothing of this one.
		newest, err := r.describe(ctx, id, "")
		if err == nil && newest.GetWorkflowExecutionInfo().GetFirstRunId() == info.GetFirstRunId() {
			described = newest
		}
	}
	v := r.outside(unit, described.GetWorkflowExecutionInfo())
	if v.running() {
		v.Live, v.Retrying = liveReport(described.GetPendingActivities()), retried(described.GetPendingActivities())
		v.State, err = r.query(ctx, v)
		if err != nil {
			v.Trouble = queryTrouble(err)
		}
	} else {
		v.State, err = r.result(ctx, v)
		if err != nil {
			v.Trouble = resultTrouble(v, err)
		}
	}
	return v.inside(), ctx.Err()
}

// notFound names the namespace and the server that were asked, and the unit that was probably
// meant.
func (r *remote) notFound(ctx context.Context, unit, runID string) error {
	if runID != "" {
		return fmt.Errorf("%w: %s has no run %s: sluice list --unit %s --output json names them", errNoRollout, unit, runID, unit)
	}
	if base, number, ok := strings.Cut(unit, ":"); ok {
		n, _ := strconv.ParseInt(number, 10, 64)
		if l, err := r.train(ctx, base); err == nil && l.Find(train.Number(n)) != nil {
			return fmt.Errorf("%w: %s is queued, and begins when the way back before it has ended\n"+
				"  keep it from its first stage: sluice hold-unit %s --why \"…\"", errNoRollout, unit, base)
		}
	}
	hint := ":"
	if known, err := r.list(ctx, listFilter{limit: 100, unasked: true}); err == nil { // without, there is only no suggestion
		var units []string
		for _, row := range known.rows {
			units = append(units, row.Unit)
		}
		if meant := suggestion(unit, units, ""); meant != "" {
			hint = meant
		}
	}
	return fmt.Errorf("%w: %s never had one in namespace %s of %s%s sluice list shows those that exist",
		errNoRollout, unit, r.namespace, r.address, hint)
}

func (r *remote) describe(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.client.DescribeWorkflowExecution(ctx, id, runID)
}

func (r *remote) query(ctx context.Context, v view) (*rollout.State, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := r.client.QueryWorkflow(ctx, v.WorkflowID, v.RunID, rollout.QueryStatus)
	if err != nil {
		return nil, err
	}
	var s rollout.State
	if err := answer.Get(&s); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if !s.Now.IsZero() {
		r.clock.Heard(s.Now)
	}
	return &s, nil
}

// result is the state that a rollout ended with. It needs no worker.
func (r *remote) result(ctx context.Context, v view) (*rollout.State, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var s rollout.State
	if err := r.client.GetWorkflow(ctx, v.WorkflowID, v.RunID).Get(ctx, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// outside is what Temporal itself knows.
func (r *remote) outside(unit string, info *workflowpb.WorkflowExecutionInfo) view {
	e := info.GetExecution()
	indexed := func(a temporal.SearchAttributeKeyKeyword) string {
		return keyword(info.GetSearchAttributes().GetIndexedFields(), a.GetName())
	}
	v := view{
		Unit: unit, WorkflowID: e.GetWorkflowId(), RunID: e.GetRunId(),
		URL:       r.link(e.GetWorkflowId(), e.GetRunId()),
		Status:    statusWord(info.GetStatus()),
		StartedAt: info.GetStartTime().AsTime(),
		Release:   indexed(connect.AttrRelease), Phase: indexed(connect.AttrPhase),
		Stage: indexed(connect.AttrStage), Outcome: indexed(connect.AttrOutcome),
		By: keyword(info.GetMemo().GetFields(), memoBy),
	}
	if info.GetCloseTime() != nil {
		v.ClosedAt = info.GetCloseTime().AsTime()
	}
	if !v.running() && v.Outcome == "" { // it has ended without a word, and the index has its last phase
		v.Phase = v.Status
	}
	return v
}

// inside puts the rollout's own word over what Temporal's index says.
func (v view) inside() view {
	s := v.State
	if s == nil {
		return v
	}
	v.Release, v.By, v.Phase = s.Release, s.By, string(s.Phase)
	if s.Stage >= len(s.Stages) {
		v.Live = nil
		return v
	}
	st := s.Stages[s.Stage]
	if v.Stage = st.Name; s.Phase.GoesBack() && !s.Begun() {
		v.Stage = ""
	}
	// The watch was seen a moment before the state: it may be the last stage's.
	if v.Live != nil && (st.AppliedAt.IsZero() || v.Live.At.Before(st.AppliedAt)) {
		v.Live = nil
	}
	return v
}

// statusWord is Temporal's status in lower case; what closed a run only to go on in the next one is
// still running.
func statusWord(s enumspb.WorkflowExecutionStatus) string {
	if s == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
		return statusRunning
	}
	return strings.ToLower(s.String())
}

func keyword(fields map[string]*commonpb.Payload, name string) string {
	var s string
	p, ok := fields[name]
	if !ok || converter.GetDefaultDataConverter().FromPayload(p, &s) != nil {
		return "" // not there, or not ours
	}
	return s
}

// liveReport is the newest look of the watch that runs now.
func liveReport(pending []*workflowpb.PendingActivityInfo) *health.Report {
	for _, a := range pending {
		if a.GetActivityType().GetName() != activities.TypeWatch {
			continue
		}
		var beat struct { // the part of activities.StageReport that is shown
			Report health.Report `json:"report"`
		}
		payloads := a.GetHeartbeatDetails()
		if len(payloads.GetPayloads()) == 0 ||
			converter.GetDefaultDataConverter().FromPayloads(payloads, &beat) != nil || len(beat.Report.Results) == 0 {
			continue // it has not looked yet
		}
		return &beat.Report
	}
	return nil
}

// queryTrouble words why a rollout did not answer.
func queryTrouble(err error) string {
	if e, ok := errors.AsType[*serviceerror.QueryFailed](err); ok {
		return "the workflow cannot answer: " + e.Message
	}
	if is[*serviceerror.WorkflowNotReady](err) {
		return "the workflow has not begun: no worker has taken it yet"
	}
	return "no worker answers; the rollout goes on when one is back"
}

// resultTrouble words why a rollout that ended left no result.
func resultTrouble(v view, err error) string {
	switch {
	case transient(err):
		return "Temporal did not answer with the result: " + rootMessage(err)
	case v.endedFromOutside():
		next := "the next sluice start or undo of the unit rolls them back first"
		if strings.Contains(v.Unit, ":") {
			next = fmt.Sprintf(`sluice take-back %s --why "…" rolls them back`, v.Unit)
		}
		return "Temporal was told to end it (" + v.Status + "): it was not rolled back to the end, and targets may keep the release; " + next
	}
	return "it ended without a result: " + rootMessage(err)
}

// rootMessage is the innermost message of an error chain.
func rootMessage(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
