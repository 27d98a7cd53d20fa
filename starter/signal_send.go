package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// signal sends to the run that was looked at, and no other.
func (r *remote) signal(ctx context.Context, v view, name string, req rollout.ControlRequest) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := r.client.SignalWorkflow(ctx, v.WorkflowID, v.RunID, name, req)
	for busy(err) && pause.For(ctx, signalPause) == nil {
		// It may just be continuing as new, in a run of another id.
		if next, lookErr := r.look(ctx, v.Unit, v.RunID); lookErr == nil {
			v.RunID = next.RunID
		}
		err = r.client.SignalWorkflow(ctx, v.WorkflowID, v.RunID, name, req)
	}
	if isNotFound(err) {
		return refusedf("the rollout of %s has just ended: sluice status %s", v.Unit, v.Unit)
	}
	if err != nil && transient(err) {
		return fmt.Errorf("send %s to the rollout of %s: %w\n"+
			"  It may have arrived all the same: sluice status %[2]s shows it; sending it twice does no harm", name, v.Unit, err)
	}
	if err != nil {
		return r.explainCall(fmt.Errorf("send %s to the rollout of %s: %w", name, v.Unit, err))
	}
	return nil
}

// signalPause is the time between two tries of a signal.
const signalPause = 200 * time.Millisecond

// busy says that the server refused a signal for the moment.
func busy(err error) bool {
	_, ok := errors.AsType[*serviceerror.ResourceExhausted](err)
	return ok
}

// takenWithin is how long a command waits to hear what came of its signal, and
// deafWithin how long when nobody answered just before.
const (
	takenWithin = 5 * time.Second
	deafWithin  = 1 * time.Second
)

// awaitTaken looks until the rollout shows the signal; nil when it did not in
// time.
func (r *remote) awaitTaken(ctx context.Context, before view, name string, req rollout.ControlRequest) (view, *rollout.Control, error) {
	within := takenWithin
	if before.Trouble != "" {
		within = deafWithin
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	since := lastControl(before.State, name, req, time.Time{})
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
			after := time.Time{}
			if since != nil {
				after = since.At
			}
			if c := lastControl(next.State, name, req, after); c != nil {
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

// lastControl is the newest control that a request would have become, later than a
// time; nil if there is none.
func lastControl(s *rollout.State, name string, req rollout.ControlRequest, after time.Time) *rollout.Control {
	if s == nil {
		return nil
	}
	for i := len(s.Controls) - 1; i >= 0; i-- {
		c := s.Controls[i]
		if c.Signal == name && c.By == req.By && c.Why == req.Why && c.Stage == req.Stage && c.At.After(after) {
			return &c
		}
	}
	return nil
}
