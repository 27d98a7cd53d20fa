package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// signal sends to the rollout that was looked at, and to no later one. An abort that Temporal does
// not take, since a rollout is sent too much, is a cancellation instead: no number of signals keeps
// that from the rollout.
func (r *remote) signal(ctx context.Context, v view, name string, req rollout.ControlRequest) (cancelled bool, err error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	send := func() error { return r.client.SignalWorkflow(limited, v.WorkflowID, v.RunID, name, req) }
	for err = send(); is[*serviceerror.ResourceExhausted](err) || is[*serviceerror.NotFound](err); err = send() {
		// It may just be continuing as new, in a run of another id.
		next, lookErr := r.look(limited, v.Unit, v.RunID)
		if ended := lookErr == nil && !next.running(); ended || pause.For(limited, signalPause) != nil {
			break
		}
		if lookErr == nil {
			v.RunID = next.RunID
		}
	}
	if name == rollout.SignalAbort && (is[*serviceerror.InvalidArgument](err) || is[*serviceerror.ResourceExhausted](err)) {
		return true, r.cancel(ctx, v, req)
	}
	switch {
	case err == nil:
		return false, nil
	case is[*serviceerror.NotFound](err):
		return false, refusedf(reasonNotRunning, "the rollout of %s has just ended: sluice status %s", v.Unit, v.Unit)
	case transient(err):
		return false, fmt.Errorf("send %s to the rollout of %s: %w\n"+
			"  It may have arrived all the same: sluice status %[2]s shows it; "+
			"with --id %s it is sent again and acts once", name, v.Unit, err, req.ID)
	}
	return false, r.explainCall(fmt.Errorf("send %s to the rollout of %s: %w", name, v.Unit, err))
}

// cancel asks Temporal to cancel the workflow. The reason stays in its history.
func (r *remote) cancel(ctx context.Context, v view, req rollout.ControlRequest) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := r.client.WorkflowService().RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: r.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: v.WorkflowID, RunId: v.RunID},
		RequestId: req.ID, Identity: req.By, Reason: strings.TrimSpace(req.By + ": " + req.Why),
	})
	if err != nil {
		return fmt.Errorf("abort the rollout of %s: Temporal takes no more signals for it, and does not cancel it either: %w\n"+
			"  send it again, or: temporal workflow cancel --workflow-id %s", v.Unit, err, v.WorkflowID)
	}
	return nil
}

// signalPause is the time between two tries of a signal.
const signalPause = 200 * time.Millisecond

// takenWithin is how long a command waits to hear what came of its signal, and deafWithin how long
// when nobody answered just before.
const (
	takenWithin = 5 * time.Second
	deafWithin  = 1 * time.Second
)

// awaitTaken looks until the rollout shows the signal; nil when it did not in time.
func (r *remote) awaitTaken(ctx context.Context, before view, name string, req rollout.ControlRequest) (view, *rollout.Control, error) {
	within := takenWithin
	if before.Trouble != "" {
		within = deafWithin
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	last := before
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		next, err := r.look(limited, before.Unit, before.RunID)
		if ctx.Err() != nil {
			return last, nil, ctx.Err()
		}
		if limited.Err() != nil || err != nil && !transient(err) && !errors.Is(err, errNoRollout) {
			return last, nil, nil // it was accepted; what came of it will be seen later
		}
		if err == nil {
			last = next.remember(last)
			if c := controlOf(next.State, name, req.ID); c != nil {
				return last, c, nil
			}
		}
		select {
		case <-limited.Done():
			return last, nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// controlOf is what came of the signal of an id when it arrived first, as far as that is kept; nil
// if nothing is known of it.
func controlOf(s *rollout.State, name, id string) *rollout.Control {
	if s == nil {
		return nil
	}
	for _, c := range s.Controls {
		if c.Signal == name && c.ID == rollout.PlainText(id) {
			return &c
		}
	}
	return nil
}
