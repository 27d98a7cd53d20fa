package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
)

const (
	trainPatience = 6 * time.Minute // of a train, which takes a minute to notice that a rollout was ended by hand
	aimFor        = 8 * time.Second // is how long a fault waits for the phase that it is aimed at
	tendEvery     = 2 * time.Second // is how often a person looks what a train needs
)

// trainDrive is one train under way.
type trainDrive struct {
	*lane
	trial     trainTrial
	rig       *rig
	unit, dir string
	names     []string     // of the releases
	cuts      [][][]string // their cohorts, by stage
	members   []*member    // the rollouts, by number, from 1
	ledger    train.Ledger
	running   bool         // the train's workflow
	trainless bool         // it was terminated once
	starting  atomic.Int32 // submissions under way
	starts    errgroup.Group
	moves     []step // still to come
	since     time.Time
	tended    time.Time
	hits      []hit
}

// member is a rollout of the train, with how its newest run has ended; unspecified for one that has
// not begun.
type member struct {
	*drive
	run enumspb.WorkflowExecutionStatus
}

func (m *member) running() bool { return m.run == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING }

// ride runs a trial and gathers what it left behind. Its error says nothing of Sluice.
func (l *lane) ride(ctx context.Context, t trainTrial, dir string) (trainEvidence, error) {
	d := &trainDrive{lane: l, trial: t, unit: fmt.Sprintf("train-%04d", t.n), dir: dir, moves: t.moves, since: time.Now()}
	e := trainEvidence{trial: t, began: d.since}
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		d.rig, err = l.openRig(ctx, trial{}, dir, d.unit)
	}
	if err != nil {
		return e, err
	}
	defer d.rig.close()
	if err := d.prepare(ctx); err != nil {
		return e, err
	}
	limited, cancel := context.WithTimeout(ctx, trainPatience)
	defer cancel()
	if err := d.follow(limited); err != nil && (ctx.Err() != nil || limited.Err() == nil) {
		return e, err
	}
	e.stuck, e.ended = limited.Err() != nil, time.Now()
	return d.gather(ctx, e)
}

// prepare names the releases, and writes their specifications.
func (d *trainDrive) prepare(ctx context.Context) error {
	fleet, err := d.State(ctx)
	for _, t := range fleet.Targets {
		d.rig.ids = append(d.rig.ids, t.ID)
	}
	for i, r := range d.trial.releases {
		sc := scenario{release: firstRelease, cut: r.cut, more: r.more} // its name depends on its cohorts
		if err == nil {
			err = os.WriteFile(d.specFile(i), []byte(sc.spec(d.unit, "")), 0o644)
		}
		if err != nil {
			return err
		}
		cohorts, err := d.cohorts(ctx, d.specFile(i))
		if err != nil {
			return err
		}
		sc.release = r.name(i, cohorts, d.rig.ids)
		d.names, d.cuts = append(d.names, sc.release), append(d.cuts, cohorts)
		if err := os.WriteFile(d.specFile(i), []byte(sc.spec(d.unit, "")), 0o644); err != nil {
			return err
		}
	}
	return err
}

func (d *trainDrive) specFile(i int) string {
	return filepath.Join(d.dir, fmt.Sprintf("spec-%d.yaml", i))
}

func (d *trainDrive) trainID() string { return connect.Deployment("").TrainID(d.unit) }

// follow makes the moves, and does what a person would, until every rollout has ended.
func (d *trainDrive) follow(ctx context.Context) error {
	for {
		quiet := len(d.moves) == 0 && d.starting.Load() == 0
		known := d.look(ctx)
		if quiet && known && len(d.open()) == 0 && (!d.running || len(d.ledger.Open) == 0) {
			return d.starts.Wait()
		}
		err := d.tend(ctx, quiet)
		if err == nil && !quiet {
			err = d.move(ctx)
		}
		if err == nil {
			err = pause.For(ctx, 20*time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
}

// open are the rollouts under way.
func (d *trainDrive) open() []*member {
	return slices.DeleteFunc(slices.Clone(d.members), func(m *member) bool { return !m.running() })
}

// look asks the train and its rollouts how they stand. It answers whether the train has said so.
func (d *trainDrive) look(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	there, err := d.client.DescribeWorkflowExecution(ctx, d.trainID(), "")
	if err != nil {
		return false
	}
	d.running = there.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	var l train.Ledger
	if v, err := d.client.QueryWorkflow(ctx, d.trainID(), "", connect.QueryLedger); err != nil || v.Get(&l) != nil {
		return false
	}
	for d.ledger = l; len(d.members) < int(l.Last); {
		d.members = append(d.members, &member{drive: &drive{lane: d.lane, rig: d.rig, unit: fmt.Sprintf("%s:%d", d.unit, len(d.members)+1)}})
	}
	for _, m := range d.members {
		if m.run == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			continue
		}
		if now, err := m.client.DescribeWorkflowExecution(ctx, connect.WorkflowID(m.unit), ""); err == nil {
			if s, ok := m.status(ctx); ok {
				m.last, m.run = s, now.GetWorkflowExecutionInfo().GetStatus()
			}
		}
	}
	return true
}

// gather reads what the targets and the server know, and keeps it in the trial's folder.
func (d *trainDrive) gather(ctx context.Context, e trainEvidence) (trainEvidence, error) {
	if err := pause.For(ctx, time.Second); err != nil { // for orders that are still on their way
		return e, err
	}
	var histories []*historypb.History
	var states []rollout.State
	for i, m := range d.members {
		r := ran{state: m.last}
		if c := slices.IndexFunc(d.ledger.Closed, func(c train.Closed) bool { return c.Number == train.Number(i+1) }); c >= 0 {
			r.said = d.ledger.Closed[c].Result
		}
		if m.last.Release != "" { // it has begun
			at := slices.Index(d.names, m.last.Release)
			r.trainRelease, r.cohorts = d.trial.releases[at], d.cuts[at]
			known := evidence{release: m.last.Release, cohorts: r.cohorts, state: m.last}
			hs, err := m.gatherRuns(ctx, &known)
			if err != nil {
				return e, err
			}
			for _, s := range append(known.earlier, m.last) {
				r.fences = append(r.fences, s.Fence)
			}
			histories, states = append(histories, hs...), append(states, m.last)
		}
		e.rollouts = append(e.rollouts, r)
	}
	h, err := stack.History(ctx, d.client, d.trainID(), "")
	if err == nil {
		e.orders, err = d.Orders(ctx)
	}
	if err != nil {
		return e, err
	}
	fleet, err := d.State(ctx)
	if err != nil {
		return e, err
	}
	e.final, e.hits, e.trainless = fleet.Targets, d.hits, d.trainless
	return e, keep(d.dir, e.words(), append(histories, h), map[string]any{
		"states.json": states, "ledger.json": d.ledger, "orders.json": e.orders, "targets.json": e.final,
	})
}
