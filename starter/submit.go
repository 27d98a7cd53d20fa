package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

const (
	// maxSent is how large a fleet's snapshot may be to travel with the request, in bytes: with its
	// base64 and the spec it stays below Temporal's 2 MB.
	maxSent = 1 << 20
	// memoBy is the key of the memo that says who started a rollout, so that a list can tell
	// without asking each.
	memoBy = "by"
)

// submission is what is sent. A snapshot that is too large to send goes into the store that the
// workers share.
func submission(ctx context.Context, l loaded, by, storeDir string) (workflows.Submission, error) {
	sub := workflows.Submission{Spec: l.spec, By: by}
	if err := l.keepBundles(ctx, storeDir); err != nil {
		return sub, err
	}
	if l.spec.Fleet.Listed() { // by the worker, when the rollout starts
		return sub, nil
	}
	digest, data, err := fleet.Encode(l.fleet)
	if err != nil {
		return sub, fmt.Errorf("pin the fleet: %w", err)
	}
	sub.FleetDigest = digest
	if len(data) <= maxSent {
		sub.FleetData = data
		return sub, nil
	}
	if storeDir == "" {
		return sub, invalidf("the fleet of %s is too large to send (%d KiB packed, at most %d): name the workers' store with --store FOLDER",
			plural(len(l.fleet.Targets), "target"), len(data)>>10, maxSent>>10)
	}
	kept, err := openStore(storeDir)
	if err != nil {
		return sub, err
	}
	if sub.FleetDigest, err = kept.Store.Put(ctx, data); err != nil {
		return sub, fmt.Errorf("put the fleet's snapshot into %s: %w", storeDir, err)
	}
	return sub, nil
}

// submit starts the rollout, unless the unit has one that runs. It ends the guard of one whose
// stages have all passed.
func (r *remote) submit(ctx context.Context, con *console, l loaded, sub workflows.Submission) (started, error) {
	runID, err := r.execute(ctx, l, sub)
	e, held := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	if held {
		if v, lookErr := r.look(ctx, sub.Spec.Unit, e.RunId); lookErr == nil {
			ended, settleErr := r.succeed(ctx, con, v, sub)
			if settleErr != nil {
				return started{}, settleErr
			}
			if ended {
				runID, err = r.execute(ctx, l, sub)
				e, held = errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
			}
		}
	}
	if held {
		return r.held(ctx, con, sub, e.RunId)
	}
	if err != nil {
		return started{}, r.explainCall(fmt.Errorf("start the rollout of %s: %w", sub.Spec.Unit, err))
	}
	id := r.deployment.WorkflowID(sub.Spec.Unit)
	return started{
		Unit: sub.Spec.Unit, Release: sub.Spec.Release, Version: sub.Spec.Version, By: sub.By, WorkflowID: id, RunID: runID,
		URL: r.link(id, runID), Targets: len(l.plan.Order), Stages: len(l.spec.Stages),
		undoes: sub.Undo != nil,
	}, nil
}

// execute asks Temporal to start the workflow, and answers its run.
func (r *remote) execute(ctx context.Context, l loaded, sub workflows.Submission) (runID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*callTimeout)
	defer cancel()
	run, err := r.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       r.deployment.WorkflowID(sub.Spec.Unit),
		TaskQueue:                                r.deployment.TaskQueue(),
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		// No timeout of the run: Temporal would end it without taking anything back.
		TypedSearchAttributes: temporal.NewSearchAttributes(
			connect.AttrUnit.ValueSet(sub.Spec.Unit),
			connect.AttrRelease.ValueSet(sub.Spec.Release),
			connect.AttrPhase.ValueSet(string(rollout.PhaseIndexed)),
		),
		Memo:          map[string]any{memoBy: sub.By},
		StaticSummary: summary(sub),
		StaticDetails: staticDetails(l, sub),
	}, connect.WorkflowType, sub)
	if err != nil {
		return "", err
	}
	return run.GetRunID(), nil
}

// held says who holds the unit. A rollout that is the very same is answered, too.
func (r *remote) held(ctx context.Context, con *console, sub workflows.Submission, runID string) (started, error) {
	unit := sub.Spec.Unit
	v, err := r.look(ctx, unit, runID)
	if err != nil {
		return started{}, refusedf(reasonRunning, "a rollout of %s runs already (run %s): sluice watch %s", unit, runID, unit)
	}
	reason, what, same := reasonRunning, "refused: a rollout of "+unit+" runs already", started{}
	if r.same(ctx, v, sub) {
		same = started{
			Unit: unit, Release: v.Release, By: v.By,
			WorkflowID: v.WorkflowID, RunID: v.RunID, URL: v.URL, Stages: len(sub.Spec.Stages),
		}
		reason, what = reasonSame, "already started: the rollout of "+unit+" that runs has the same spec and fleet"
	}
	detail := fmt.Sprintf("release %s, started %s by %s, %s", v.Release, stamp(v.StartedAt, con.now()), orDash(v.By), phaseWord(v))
	if v.Stage != "" {
		detail += " at stage " + v.Stage
	}
	if v.Trouble != "" {
		detail += " (" + v.Trouble + ")"
	}
	detail += ", run " + v.RunID
	if v.URL != "" {
		detail += "\n  " + v.URL
	}
	if v.locked() {
		what = "refused: the unit " + unit + " is locked, since the rollback of its last rollout is incomplete"
		return same, refusedf(reasonLocked, "%s: %s\n  see what is left: sluice status %[3]s\n  try again:        sluice retry-rollback %[3]s\n"+
			"  or give up:       sluice give-up %[3]s --why \"…\"", what, detail, unit)
	}
	if v.State != nil && (v.State.Phase.GoesBack() || v.State.Aborted != nil) {
		return same, refusedf(reasonGoingBack, "%s: %s\n  it is rolling back; start again when that is over: sluice watch %s", what, detail, unit)
	}
	return same, refusedf(reason, "%s: %s\n"+
		"  follow it:    sluice watch %s\n"+
		"  roll it back: sluice abort %s --why \"…\"", what, detail, unit, unit)
}

// same says whether a run was started with the same spec and fleet. Who did it does not matter.
func (r *remote) same(ctx context.Context, v view, sub workflows.Submission) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	it := r.client.GetWorkflowHistory(ctx, v.WorkflowID, v.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !it.HasNext() {
		return false
	}
	first, err := it.Next()
	if err != nil {
		return false
	}
	var theirs workflows.Submission
	input := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if input == nil || converter.GetDefaultDataConverter().FromPayloads(input, &theirs) != nil {
		return false
	}
	return theirs.FleetDigest == sub.FleetDigest && sameJSON(theirs.Spec, sub.Spec) && undoes(theirs) == undoes(sub)
}

// undoes is the run that a submission undoes; empty for a rollout.
func undoes(s workflows.Submission) string {
	if s.Undo == nil {
		return ""
	}
	return s.Undo.Run
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// summary is what the list of workflows in the Web UI shows.
func summary(sub workflows.Submission) string {
	if sub.Undo != nil {
		return "undo of " + sub.Spec.Unit + " " + sub.Spec.Release
	}
	return sub.Spec.Unit + " " + releaseWords(sub.Spec.Release, sub.Spec.Version)
}

// staticDetails is what the Web UI shows of the rollout for good, in Markdown.
func staticDetails(l loaded, sub workflows.Submission) string {
	var b strings.Builder
	md := rollout.Markdown
	if sub.Undo != nil {
		return fmt.Sprintf("undo of **%s** release **%s**, run %s, started by %s\n",
			md(l.spec.Unit), md(l.spec.Release), sub.Undo.Run, md(sub.By))
	}
	fmt.Fprintf(&b, "**%s** release **%s**, started by %s\n\n", md(l.spec.Unit), md(l.spec.Release), md(sub.By))
	p := l.plan
	switch {
	case l.spec.Fleet.Listed():
		b.WriteString("The worker lists the fleet.\n")
		return b.String()
	}
	fmt.Fprintf(&b, "%s, at most %s\n\n| stage | new | reach | bake |\n| --- | ---: | ---: | --- |\n",
		plural(len(p.Order), "target"), describePlan(p, l.measure()).Longest)
	for i, s := range p.Stages {
		fmt.Fprintf(&b, "| %s | %d | %d (%s) | %s |\n", md(s.Name), s.Size(), s.To, share(s.To, len(p.Order)), p.Spec.Stages[i].Bake)
	}
	return b.String()
}
