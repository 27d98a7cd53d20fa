package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/serviceerror"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// signalCommand is a command that steers a rollout by a signal. Signals are kept
// by Temporal, also while no worker is up.
type signalCommand struct {
	name, short, long, example string
	// needsWhy refuses the command without a reason.
	needsWhy bool
	// stage and override add the flags of those names.
	stage, override bool
	// effect says what happens when the rollout has taken the signal.
	effect string
}

func (s signalCommand) command() command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "why", Usage: "`REASON`, kept with the rollout"},
		byFlag(),
	}
	if s.stage {
		flags = append(flags, &cli.StringFlag{Name: "stage", Usage: "the `STAGE` that is meant (default: the one that waits)"})
	}
	if s.override {
		flags = append(flags, &cli.BoolFlag{Name: "override", DisableDefaultText: true, Usage: "pass even a FAIL"})
	}
	return command{
		name: s.name, arg: "UNIT", short: s.short, long: s.long, example: s.example,
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
	if s.needsWhy && req.Why == "" {
		return req, usagef("%s needs a reason, which is kept with the rollout: --why \"…\"", s.name)
	}
	if s.needsWhy && !strings.ContainsFunc(req.Why, unicode.IsLetter) {
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
		return fmt.Errorf("%s was not sent: %w", s.name, err)
	}
	defer r.close()
	return s.send(ctx, con, r, c.Args().First(), req)
}

// send signals the rollout of a unit, and tells what came of it.
func (s signalCommand) send(ctx context.Context, con *console, r *remote, unit string, req rollout.ControlRequest) error {
	before, err := r.look(ctx, unit, "")
	if err != nil {
		return err
	}
	if need := s.locked(); before.locked() != need && before.State != nil && before.running() {
		if need {
			return refusedf("%s is for an incomplete rollback; the rollout of %s is %s", s.name, unit, phaseWord(before))
		}
		return refusedf("the rollback of %s is incomplete, and the unit is locked: sluice retry-rollback %[1]s, or sluice give-up %[1]s --why \"…\"", unit)
	}
	if !before.running() {
		return refusedf("no rollout of %s is running: the last one, %s, ended %s as %s: sluice explain %s says why, sluice start SPEC begins another",
			before.Unit, before.Release, stamp(before.ClosedAt, con.now()), phaseWord(before), before.Unit)
	}
	if s.name == rollout.SignalPromote && req.Stage == "" {
		req.Stage = before.Stage // what was seen, and not the next one, should this one pass meanwhile
	}
	if err := r.signal(ctx, before, s.name, req); err != nil {
		return err
	}
	after, taken, err := r.awaitTaken(ctx, before, s.name, req)
	if err != nil {
		return err
	}
	return s.tell(con, after, taken)
}

// locked says that the signal is for a rollout that is locked, and for no other.
func (s signalCommand) locked() bool {
	return s.name == rollout.SignalRetry || s.name == rollout.SignalGiveUp
}

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
		return fmt.Errorf("send %s to the rollout of %s: %w; it may have arrived all the same: sluice status %s says so, and sending it again does no harm",
			name, v.Unit, err, v.Unit)
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

// told is what a signal command prints as JSON.
type told struct {
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

func (s signalCommand) tell(con *console, v view, taken *rollout.Control) error {
	if taken != nil && taken.Refused != "" {
		return refusedf("%s had no effect on the rollout of %s: %s; %s", s.name, v.Unit, taken.Refused, advice(v, *taken))
	}
	t := told{
		Signal: s.name, Unit: v.Unit, WorkflowID: v.WorkflowID, RunID: v.RunID, Phase: v.Phase,
		Taken: taken != nil, Effect: s.effect,
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
	con.say("%s %s: %s", s.name, v.Unit, t.Effect)
	return nil
}
