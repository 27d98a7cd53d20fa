package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// signalCommand is the command of a signal, which steers a rollout. Temporal keeps signals, also
// while no worker is up.
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
		&cli.StringFlag{Name: "id", Usage: "`ID` of this signal: however often it is sent with one, it acts once (default: a new one)"},
	}
	if s.TakesStage {
		flags = append(flags, &cli.StringFlag{Name: "stage", Usage: "the `STAGE` that is meant (default: the one that waits)"})
	}
	if s.TakesWithin {
		flags = append(flags, &cli.StringFlag{
			Name:  "within",
			Usage: "how long at most, a `DURATION` such as 4h; then it rolls back (default: without end)",
		})
	}
	if s.TakesOverride {
		flags = append(flags, &cli.BoolFlag{Name: "override", DisableDefaultText: true, Usage: "pass even a FAIL"})
	}
	arg := "UNIT[:NUMBER]"
	if s.ForAll {
		arg = "[UNIT[:NUMBER]]"
		flags = append(flags,
			&cli.BoolFlag{Name: "all", DisableDefaultText: true, Usage: s.Name + " every rollout that runs in the deployment; needs --why"},
			&cli.BoolFlag{Name: "yes", DisableDefaultText: true, Usage: "with --all, do not ask on a terminal"})
	}
	return command{
		name: s.Name, arg: arg, short: s.Short, long: s.Long, example: s.Example,
		flags: flags, remote: true, run: s.run,
	}
}

// request reads the flags.
func (s signalCommand) request(c *cli.Context) (rollout.ControlRequest, error) {
	by, why, err := signed(c, s.Name, s.NeedsReason || c.Bool("all"))
	if err != nil {
		return rollout.ControlRequest{}, err
	}
	req := rollout.ControlRequest{
		ID: cmp.Or(c.String("id"), rand.Text()), By: by, Why: why, Stage: c.String("stage"), Override: c.Bool("override"),
	}
	if req.Within = c.String("within"); req.Within != "" {
		if d, err := spec.ParseDuration(req.Within); err != nil || d == 0 {
			return req, usagef("--within %q is no duration, expected one such as 4h", req.Within)
		}
	}
	return req, nil
}

func (s signalCommand) run(ctx context.Context, con *console, c *cli.Context) error {
	unit, all := c.Args().First(), c.Bool("all")
	switch {
	case unit == "" && !all: // only where it may be missing
		return usagef("%s needs UNIT, or --all, for example: %s", s.Name, s.Example)
	case unit != "" && all:
		return usagef("%s: --all is every rollout that runs, not only %s: give one of both", s.Name, unit)
	}
	req, err := s.request(c)
	if err != nil {
		return err
	}
	r, err := dial(ctx, con, c)
	if err != nil {
		return fmt.Errorf("%s was not sent: %w", s.Name, err)
	}
	defer r.client.Close()
	if all {
		return s.sendAll(ctx, con, r, req, c.Bool("yes"))
	}
	return s.send(ctx, con, r, c.Args().First(), req)
}

// send signals the rollout of a unit, and tells what came of it.
func (s signalCommand) send(ctx context.Context, con *console, r *remote, unit string, req rollout.ControlRequest) error {
	before, err := r.look(ctx, unit, "")
	if err != nil {
		return err
	}
	t, err := s.deliver(ctx, con, r, before, req)
	switch {
	case err != nil:
		return err
	case con.json:
		return con.object(t)
	}
	con.say("%s", t)
	if s.Name == rollout.SignalAbort {
		r.sayOlder(ctx, con, t.Unit)
	}
	return nil
}

// deliver signals a rollout, and answers what came of it.
func (s signalCommand) deliver(
	ctx context.Context, con *console, r *remote, before view, req rollout.ControlRequest,
) (signalResult, error) {
	req, err := s.aimed(before, req, con.now())
	if err != nil {
		return signalResult{}, err
	}
	cancelled, err := r.signal(ctx, before, s.Name, req)
	if err != nil {
		return signalResult{}, err
	}
	if cancelled {
		s.Effect = "Temporal takes no more signals for this rollout, so it was cancelled, which is an abort: every touched target is rolled back"
		return s.result(before, &rollout.Control{})
	}
	after, taken, err := r.awaitTaken(ctx, before, s.Name, req)
	if err != nil {
		return signalResult{}, err
	}
	return s.result(after, taken)
}

// aimed is the request that says what it means, as its sender sees the rollout now: the stage that
// is current, and not the next one, should this one pass meanwhile.
func (s signalCommand) aimed(v view, req rollout.ControlRequest, now time.Time) (rollout.ControlRequest, error) {
	switch {
	case !v.running():
		undo := "sluice undo " + v.Unit + " takes it back, "
		if strings.Contains(v.Unit, ":") { // a train has no undo
			undo = ""
		}
		return req, refusedf(reasonNotRunning, "no rollout of %s runs: the last one, %s, ended %s as %s; "+
			"sluice explain %[1]s says why, %[5]ssluice start SPEC begins another",
			v.Unit, v.Release, stamp(v.ClosedAt, now), phaseWord(v), undo)
	case v.State == nil && s.Name == rollout.SignalApprove && req.Stage == "":
		return req, refusedf(reasonNoAnswer, "approve: %s, so which stage waits is not known: name it with --stage", v.Trouble)
	case v.State == nil:
		req.Stage = cmp.Or(req.Stage, v.Stage)
		return req, nil
	case s.ForLocked && !v.locked():
		return req, refusedf(reasonNotLocked, "%s is for an incomplete rollback; the rollout of %s is %s", s.Name, v.Unit, phaseWord(v))
	case v.locked() && !s.ForLocked && !s.ForWayBack:
		return req, refusedf(reasonLocked, "the rollback of %s is incomplete, and the unit is locked:\n"+
			"  try again: sluice retry-rollback %[1]s\n"+
			"  give up:   sluice give-up %[1]s --why \"…\"", v.Unit)
	}
	req = s.Aimed(*v.State, req)
	if c := (rollout.Control{Signal: s.Name, By: req.By, Why: req.Why}); s.Name == rollout.SignalApprove && req.Stage == "" {
		return req, s.noEffect(v, s.Refusal(*v.State, c), c)
	}
	return req, nil
}

// noEffect tells why a signal does nothing, and what to type instead.
func (s signalCommand) noEffect(v view, why string, c rollout.Control) error {
	return refusedf(reasonNoEffect, "%s had no effect on the rollout of %s: %s; %s", s.Name, v.Unit, why, advice(v, c))
}

// signalResult is what a signal command prints as JSON.
type signalResult struct {
	Signal     string `json:"signal"`
	Unit       string `json:"unit"`
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Taken is true once the rollout has acted on it; false while it is only kept by Temporal.
	Taken  bool   `json:"taken"`
	Effect string `json:"effect"`
	Phase  string `json:"phase,omitempty"`
}

func (t signalResult) String() string { return t.Signal + " " + t.Unit + ": " + t.Effect }

// result words what came of the signal.
func (s signalCommand) result(v view, taken *rollout.Control) (signalResult, error) {
	if taken != nil && taken.Refused != "" {
		return signalResult{}, s.noEffect(v, taken.Refused, *taken)
	}
	t := signalResult{
		Signal: s.Name, Unit: v.Unit, WorkflowID: v.WorkflowID, RunID: v.RunID, Phase: v.Phase,
		Taken: taken != nil && !taken.At.IsZero(), Effect: s.Effect,
	}
	if taken == nil {
		t.Effect = "accepted; it takes effect when a worker is back"
		if v.Trouble == "" {
			t.Effect = "accepted; the rollout has not shown it yet: sluice status " + v.Unit
		}
	}
	if s.Name == rollout.SignalAbort && taken != nil {
		t.Effect += "; follow it with sluice watch " + v.Unit
	}
	return t, nil
}
