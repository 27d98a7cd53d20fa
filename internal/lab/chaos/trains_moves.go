package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
	trains "github.com/sluicehq/sluice/workflows/train"
)

// tend does what the train needs of a person: it takes back what was terminated, tries again and
// gives up what is locked, ends a hold once nothing else would, and aborts what a train has left
// that was terminated.
func (d *trainDrive) tend(ctx context.Context, quiet bool) error {
	if time.Since(d.tended) < tendEvery {
		return nil
	}
	d.tended = time.Now()
	for _, m := range d.open() {
		if m.last.Outcome != nil {
			m.over(ctx, m.last)
		}
		if !d.running {
			if err := m.abort(ctx); err != nil {
				return err
			}
		}
	}
	by := trains.Control{By: "chaos", Why: "the trial says so"}
	if d.running && quiet && d.ledger.Hold != nil {
		_ = d.client.SignalWorkflow(ctx, d.trainID(), "", connect.SignalRelease, by) // or the next time
	}
	for _, r := range d.ledger.Open {
		if by.Number = r.Number; d.running && r.State == train.Lost {
			_ = d.client.SignalWorkflow(ctx, d.trainID(), "", connect.SignalTakeBack, by) // as above
		}
	}
	return nil
}

// move makes the next move once it is due.
func (d *trainDrive) move(ctx context.Context) error {
	if len(d.moves) == 0 {
		return nil
	}
	s, seen := d.moves[0], []phase(nil)
	for _, m := range d.open() {
		p := phaseOf(m.last)
		if m.last.Phase == rollout.PhaseGuard {
			p = guarding
		}
		seen = append(seen, p)
	}
	aimed := slices.Contains(seen, s.phase)
	if !aimed && s.kill[0] != submit && time.Since(d.since) < aimFor {
		return nil
	}
	if err := pause.For(ctx, s.after); err != nil {
		return err
	}
	d.moves = d.moves[1:]
	defer func() { d.since = time.Now() }()
	switch {
	case s.kill[0] == submit:
		for range s.kill {
			d.starting.Add(1)
			d.starts.Go(func() error {
				defer d.starting.Add(-1)
				return d.start(ctx, s.stage)
			})
		}
		return nil
	case s.kill[0].act() && len(seen) == 0: // nothing to do it to
		return nil
	case !aimed:
		s.phase = append(seen, before)[0]
	}
	hits, err := d.strike(ctx, s, d.rig, s.phase, d.act)
	for i := range hits {
		hits[i].real = s.phase
	}
	d.hits = append(d.hits, hits...)
	return err
}

// start submits a release until the train has it.
func (d *trainDrive) start(ctx context.Context, i int) error {
	for {
		ran, err := d.Sluice(ctx, "start", "--by", "chaos", "--output", "json", d.specFile(i))
		if err != nil {
			return err
		}
		var refused struct{ Reason string }
		_ = json.Unmarshal([]byte(ran.Stdout), &refused) // one that is empty is tried again
		if ran.Code == 0 || refused.Reason == "same-rollout" || refused.Reason == "taken-back-before" {
			return nil
		}
		if err := pause.For(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("start: exit %d: %w\n%s%s", ran.Code, err, ran.Stdout, ran.Stderr)
		}
	}
}

// act does to a rollout under way, or to the train, what people do with Temporal's own tools.
func (d *trainDrive) act(ctx context.Context, v victim, pick float64) error {
	open := d.open()
	m, task := open[int(pick*float64(len(open)))], pick*97-float64(int(pick*97))
	var err error
	switch v {
	case abortOne:
		return m.abort(ctx)
	case terminate:
		err = d.client.TerminateWorkflow(ctx, connect.WorkflowID(m.unit), "", "chaos")
	case noTrain:
		d.trainless = true
		err = d.client.TerminateWorkflow(ctx, d.trainID(), "", "chaos")
	case resetTrain:
		return d.reset(ctx, d.trainID(), task)
	default:
		m.forget()
		return d.reset(ctx, connect.WorkflowID(m.unit), task)
	}
	if isNotFound(err) { // it has ended before
		return nil
	}
	return err
}
