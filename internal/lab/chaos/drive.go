package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// patience is how long a rollout may take, kills included. One that has not ended by then is stuck.
const patience = 4 * time.Minute

// drive is one rollout under way.
type drive struct {
	*lane
	trial trial
	rig   *rig
	unit  string
	dir   string
	steps []step // still to come
	last  rollout.State
	hits  []hit
	// held is since when the rollout holds, and promoted when it was last told to go on.
	held, promoted time.Time
	// locked is when an incomplete rollback was first seen, and tried again.
	locked time.Time
	gaveUp bool
	// lost is what the server knew before its database was restored.
	lost []known
}

// try runs a trial and gathers what it left behind. Its error means that the trial could not be
// run, and says nothing of Sluice.
func (l *lane) try(ctx context.Context, t trial, dir string) (evidence, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return evidence{}, err
	}
	d := &drive{lane: l, trial: t, unit: fmt.Sprintf("unit-%04d", t.n), dir: dir, steps: t.steps}
	var err error
	if d.rig, err = l.openRig(ctx, t, dir, d.unit); err != nil {
		return evidence{}, err
	}
	defer d.rig.close()
	if err := os.WriteFile(d.specFile(), []byte(t.scenario.spec(d.unit, d.rig.prometheusURL)), 0o644); err != nil {
		return evidence{}, err
	}
	e := evidence{trial: t, release: t.scenario.release, before: firstRelease, began: time.Now()}
	if e.cohorts, err = d.cohorts(ctx, d.specFile()); err != nil {
		return e, err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = d.follow(limited)
	if err != nil && (ctx.Err() != nil || limited.Err() == nil) {
		return e, err
	}
	e.ended = time.Now()
	return d.gather(ctx, e)
}

func (d *drive) specFile() string { return filepath.Join(d.dir, "spec.yaml") }

// cohorts asks the CLI which stage brings the release to which target.
func (l *lane) cohorts(ctx context.Context, file string) ([][]string, error) {
	ran, err := l.Sluice(ctx, "plan", file, "--output", "json")
	if err != nil || ran.Code != 0 {
		return nil, fmt.Errorf("plan: exit %d: %w\n%s", ran.Code, err, ran.Stderr)
	}
	var planned struct {
		Stages []struct {
			Targets []string `json:"targets"`
		} `json:"stages"`
	}
	if err := json.Unmarshal([]byte(ran.Stdout), &planned); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	var out [][]string
	for _, s := range planned.Stages {
		out = append(out, s.Targets)
	}
	return out, nil
}

// follow starts the rollout and does to it what the trial says, until it has an outcome.
func (d *drive) follow(ctx context.Context) error {
	started := make(chan error, 1)
	go func() { started <- d.start(ctx) }()
	if err := d.untilThere(ctx, started); err != nil {
		return err
	}
	for len(d.steps) > 0 && d.steps[0].phase == plan {
		if err := d.next(ctx, true); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		if s, ok := d.status(ctx); ok {
			d.last = s
			if s.Outcome != nil && d.over(ctx, s) {
				return <-started
			}
			if err := d.react(ctx, s); err != nil {
				return err
			}
		}
		if err := pause.For(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// over says whether a rollout with an outcome is over. One that is incomplete stays open: its
// rollback is tried again once, as a person would who sees the targets back, and then given up.
func (d *drive) over(ctx context.Context, s rollout.State) bool {
	if s.Phase != rollout.PhaseLocked {
		return true
	}
	now := time.Now()
	switch {
	case d.locked.IsZero():
		d.locked = now
		_ = d.signal(ctx, rollout.SignalRetry, rollout.ControlRequest{By: "chaos"}) // else it is given up
	case now.Sub(d.locked) > retryFor && !d.gaveUp:
		d.gaveUp = true
		_ = d.signal(ctx, rollout.SignalGiveUp, rollout.ControlRequest{By: "chaos", Why: "the targets stay away"}) // else it is stuck
	}
	return false
}

// retryFor is how long a second try to go back may take.
const retryFor = 20 * time.Second

// start runs `sluice start` until the rollout exists: the server may be killed while it is asked. A
// second start is told that the first was heard.
func (d *drive) start(ctx context.Context) error {
	for {
		ran, err := d.Sluice(ctx, "start", "--by", "chaos", d.specFile())
		const refused = 6
		if err != nil || ran.Code == 0 || ran.Code == refused && d.exists(ctx) {
			return err
		}
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("start: exit %d: %w\n%s", ran.Code, err, ran.Stderr)
		}
	}
}

// untilThere waits until the server knows the rollout.
func (d *drive) untilThere(ctx context.Context, started chan error) error {
	for !d.exists(ctx) {
		select {
		case err := <-started:
			if err != nil {
				return err
			}
			started <- nil // for who waits for it at the end
		default:
		}
		if err := pause.For(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (d *drive) exists(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := d.client.DescribeWorkflowExecution(ctx, connect.WorkflowID(d.unit), "")
	return err == nil
}

// status asks the newest run itself; no answer is no trouble.
func (d *drive) status(ctx context.Context) (rollout.State, bool) {
	s, err := d.statusOf(ctx, "")
	return s, err == nil
}

func (d *drive) statusOf(ctx context.Context, run string) (s rollout.State, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	v, err := d.client.QueryWorkflow(ctx, connect.WorkflowID(d.unit), run, rollout.QueryStatus)
	if err != nil {
		return s, err
	}
	return s, v.Get(&s)
}

// gather reads what the targets and the server know, and keeps it in the trial's folder.
func (d *drive) gather(ctx context.Context, e evidence) (evidence, error) {
	if err := pause.For(ctx, time.Second); err != nil { // for orders that are still on their way
		return e, err
	}
	e.state = d.last
	histories, err := d.gatherRuns(ctx, &e)
	if err != nil {
		return e, err
	}
	if e.orders, err = d.Orders(ctx); err != nil {
		return e, err
	}
	fleet, err := d.State(ctx)
	if err != nil {
		return e, err
	}
	e.final, e.hits = fleet.Targets, d.hits
	e.timeline = timelineOf(histories...)
	for i := range e.hits {
		e.hits[i].real = e.timeline.at(e.hits[i].at)
	}
	return e, keep(d.dir, e.words(), histories, map[string]any{
		"state.json": e.state, "earlier.json": e.earlier, "orders.json": e.orders, "targets.json": e.final,
	})
}

// keep writes what was gathered.
func keep(dir, words string, histories []*historypb.History, gathered map[string]any) error {
	errs := []error{os.WriteFile(filepath.Join(dir, "trial.txt"), []byte(words), 0o644)}
	for i, history := range histories {
		h, err := protojson.Marshal(history)
		errs = append(errs, err, os.WriteFile(filepath.Join(dir, fmt.Sprintf("history-%d.json", i+1)), h, 0o644))
	}
	for name, what := range gathered {
		data, err := json.MarshalIndent(what, "", " ")
		errs = append(errs, err, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	return errors.Join(errs...)
}
