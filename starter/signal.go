package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/serviceerror"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// signalCommand is the command of a signal, which steers a rollout. Temporal keeps signals,
// also while no worker is up.
type signalCommand struct{ rollout.Signal }

// signalCommands are the commands of all signals that a rollout takes.
func signalCommands() []command {
	var out []command
	for _, s := range rollout.Signals() {
		out = append(out, signalCommand{s}.command())
	}
	return out
}

func (s signalCommand) command() command {
	why := "`REASON`, kept with the rollout"
	if s.NeedsReason {
		why += " (required)"
	}
	flags := []cli.Flag{
		&cli.StringFlag{Name: "why", Usage: why},
		byFlag(),
	}
	if s.TakesStage {
		flags = append(flags, &cli.StringFlag{Name: "stage", Usage: "the `STAGE` that is meant (default: the one that waits)"})
	}
	if s.TakesOverride {
		flags = append(flags, &cli.BoolFlag{Name: "override", DisableDefaultText: true, Usage: "pass even a FAIL"})
	}
	return command{
		name: s.Name, arg: "UNIT", short: s.Short, long: s.Long, example: s.Example,
		flags: flags, remote: true, run: s.run,
	}
}

// request reads the flags.
func (s signalCommand) request(c *cli.Context) (rollout.ControlRequest, error) {
	by, err := byOf(c)
	if err != nil {
		return rollout.ControlRequest{}, err
	}
	req := rollout.ControlRequest{By: by, Why: c.String("why"), Stage: c.String("stage"), Override: c.Bool("override")}
	if s.NeedsReason && req.Why == "" {
		return req, usagef("%s needs a reason, which is kept with the rollout: --why \"…\"", s.Name)
	}
	if s.NeedsReason && !strings.ContainsFunc(req.Why, unicode.IsLetter) {
		return req, usagef("--why %q has no word in it, expected a reason such as \"looked at by hand\"", req.Why)
	}
	return req, checkWhy(req.Why)
}

func (s signalCommand) run(ctx context.Context, con *console, c *cli.Context) error {
	req, err := s.request(c)
	if err != nil {
		return err
	}
	r, err := dial(ctx, c)
	if err != nil {
		return fmt.Errorf("%s was not sent: %w", s.Name, err)
	}
	defer r.client.Close()
	return s.send(ctx, con, r, c.Args().First(), req)
}

// send signals the rollout of a unit, and tells what came of it.
func (s signalCommand) send(ctx context.Context, con *console, r *remote, unit string, req rollout.ControlRequest) error {
	before, err := r.look(ctx, unit, "")
	if err != nil {
		return err
	}
	if before.locked() != s.ForLocked && before.State != nil && before.running() {
		if s.ForLocked {
			return refusedf("%s is for an incomplete rollback; the rollout of %s is %s", s.Name, unit, phaseWord(before))
		}
		return refusedf("the rollback of %s is incomplete, and the unit is locked:\n  try again: sluice retry-rollback %[1]s\n"+
			"  give up:   sluice give-up %[1]s --why \"…\"", unit)
	}
	if !before.running() {
		return refusedf("no rollout of %s runs: the last one, %s, ended %s as %s; sluice explain %s says why, sluice start SPEC begins another",
			before.Unit, before.Release, stamp(before.ClosedAt, con.now()), phaseWord(before), before.Unit)
	}
	if s.Name == rollout.SignalPromote && req.Stage == "" {
		req.Stage = before.Stage // what was seen, and not the next one, should this one pass meanwhile
	}
	if err := r.signal(ctx, before, s.Name, req); err != nil {
		return err
	}
	after, taken, err := r.awaitTaken(ctx, before, s.Name, req)
	if err != nil {
		return err
	}
	return s.report(con, after, taken)
}

// signalResult is what a signal command prints as JSON.
type signalResult struct {
	Signal     string `json:"signal"`
	Unit       string `json:"unit"`
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Taken is true once the rollout has acted on it; false while it is only
	// kept by Temporal.
	Taken  bool   `json:"taken"`
	Effect string `json:"effect"`
	Phase  string `json:"phase,omitempty"`
}

func (s signalCommand) report(con *console, v view, taken *rollout.Control) error {
	if taken != nil && taken.Refused != "" {
		return refusedf("%s had no effect on the rollout of %s: %s; %s", s.Name, v.Unit, taken.Refused, advice(v, *taken))
	}
	t := signalResult{
		Signal: s.Name, Unit: v.Unit, WorkflowID: v.WorkflowID, RunID: v.RunID, Phase: v.Phase,
		Taken: taken != nil, Effect: s.Effect,
	}
	if taken == nil {
		t.Effect = "accepted; it takes effect when a worker is back"
		if v.Trouble == "" {
			t.Effect = "accepted; the rollout has not shown it yet: sluice status " + v.Unit
		}
	}
	if con.json {
		return con.object(t)
	}
	con.say("%s %s: %s", s.Name, v.Unit, t.Effect)
	return nil
}

// signal sends to the run that was looked at, and no other.
func (r *remote) signal(ctx context.Context, v view, name string, req rollout.ControlRequest) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := r.client.SignalWorkflow(ctx, v.WorkflowID, v.RunID, name, req)
	for is[*serviceerror.ResourceExhausted](err) && pause.For(ctx, signalPause) == nil {
		// It may just be continuing as new, in a run of another id.
		if next, lookErr := r.look(ctx, v.Unit, v.RunID); lookErr == nil {
			v.RunID = next.RunID
		}
		err = r.client.SignalWorkflow(ctx, v.WorkflowID, v.RunID, name, req)
	}
	if is[*serviceerror.NotFound](err) {
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
	var since time.Time
	if c := lastControl(before.State, name, req, since); c != nil {
		since = c.At
	}
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
			if c := lastControl(next.State, name, req, since); c != nil {
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
	for _, c := range slices.Backward(s.Controls) {
		if c.Signal == name && c.By == req.By && c.Why == req.Why && c.Stage == req.Stage && c.At.After(after) {
			return &c
		}
	}
	return nil
}
