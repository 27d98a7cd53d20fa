package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// react does what is due in a state of the rollout.
func (d *drive) react(ctx context.Context, s rollout.State) error {
	if len(d.steps) > 0 {
		due, now := position(d.steps[0].phase, d.steps[0].stage), position(phaseOf(s), s.Stage)
		if due <= now {
			return d.next(ctx, due == now)
		}
	}
	if d.trial.scenario.persuaded {
		d.persuade(ctx, s)
	}
	return nil
}

// next takes the next step: after its time in the phase, or at once when the phase is over already.
func (d *drive) next(ctx context.Context, inTime bool) error {
	s := d.steps[0]
	d.steps = d.steps[1:]
	if inTime {
		if err := pause.For(ctx, s.after); err != nil {
			return err
		}
	}
	if len(s.kill) == 0 {
		return d.abort(ctx)
	}
	hits, err := d.strike(ctx, s, d.rig, phaseOf(d.last), d.act)
	d.hits = append(d.hits, hits...)
	return err
}

// strike ends the victims of a step at once, and brings them back after a while. What is done to
// workflows act does.
func (l *lane) strike(ctx context.Context, s step, f *rig, seen phase, act func(context.Context, victim, float64) error) ([]hit, error) {
	hits := make([]hit, len(s.kill))
	for i, v := range s.kill {
		for p := l.process(v, f); p != nil && !p.Running(); { // a worker that its supervisor is about to start
			if err := pause.For(ctx, 10*time.Millisecond); err != nil {
				return nil, fmt.Errorf("the %s has ended by itself: %w", v, err)
			}
		}
		hits[i] = hit{victim: v, wanted: s.phase, seen: seen, at: time.Now()}
		var err error
		if v.act() {
			s.down, err = 0, act(ctx, v, s.pick)
		} else {
			err = l.kill(ctx, v, f, s.pick)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v, err)
		}
	}
	if err := pause.For(ctx, s.down); err != nil {
		return nil, err
	}
	var group errgroup.Group
	for i := range hits {
		group.Go(func() error {
			defer func() { hits[i].up = time.Now() }()
			if hits[i].victim.act() {
				return nil
			}
			return l.restart(ctx, hits[i].victim, f)
		})
	}
	return hits, group.Wait()
}

// abort takes the rollout back, as a person would.
func (d *drive) abort(ctx context.Context) error {
	return d.signal(ctx, rollout.SignalAbort, rollout.ControlRequest{By: "chaos", Why: "the trial says so"})
}

// persuade promotes a rollout that holds, as a person would.
func (d *drive) persuade(ctx context.Context, s rollout.State) {
	if phaseOf(s) != hold {
		d.held = time.Time{}
		return
	}
	if d.held.IsZero() {
		d.held, d.promoted = time.Now(), time.Time{}
	}
	if time.Since(d.held) > 1500*time.Millisecond && time.Since(d.promoted) > 5*time.Second {
		d.promoted = time.Now()
		// Without an answer it is sent again: the state tells whether it was heard.
		_ = d.client.SignalWorkflow(ctx, connect.WorkflowID(d.unit), "", rollout.SignalPromote,
			rollout.ControlRequest{By: "chaos", Why: "nobody measures this one", Stage: s.Stages[s.Stage].Name})
	}
}

// signal sends until the server has it.
func (d *drive) signal(ctx context.Context, name string, req rollout.ControlRequest) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := d.client.SignalWorkflow(attempt, connect.WorkflowID(d.unit), "", name, req)
		cancel()
		if err == nil || isNotFound(err) { // the rollout has ended before
			return nil
		}
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
