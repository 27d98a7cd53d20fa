package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

func undoCommand() command {
	return command{
		name: "undo", arg: "UNIT",
		short: "roll back the newest rollout that has ended",
		long: `Rolls back the newest rollout that was promoted, or that has left targets changed:
every target that it touched returns to what it ran before, as its history has it. It
asks no check, before or after. Nobody undoes twice: a second undo is refused. While a
rollout runs, use abort. Targets that do not come back lock the unit, as after any
rollback.`,
		example: `sluice undo edge-proxy --why "2.5.0 loses orders" --wait`,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "why", Usage: "`REASON`, kept with it (required)"},
			byFlag(),
			&cli.BoolFlag{Name: "wait", DisableDefaultText: true, Usage: "follow it to its end"},
			timeoutFlag(),
		},
		remote: true,
		run:    undo,
	}
}

func undo(ctx context.Context, con *console, c *cli.Context) error {
	by, why, err := signed(c, "undo", true)
	if err != nil {
		return err
	}
	timeout, err := timeoutOf(c)
	if err != nil {
		return err
	}
	if timeout > 0 && !c.Bool("wait") {
		return usagef("undo: --timeout goes with --wait")
	}
	r, err := dial(ctx, con, c)
	if err != nil {
		return err
	}
	defer r.client.Close()
	s, err := r.undo(ctx, con, c.Args().First(), by, why)
	if err != nil {
		return err
	}
	if !c.Bool("wait") {
		return s.print(con)
	}
	return waitFor(ctx, con, r, s, timeout)
}

// undo starts the undoing of what a unit's newest rollout has left changed.
func (r *remote) undo(ctx context.Context, con *console, unit, by, why string) (started, error) {
	base, _, _ := strings.Cut(unit, ":")
	switch inTrain, err := r.numbered(ctx, base, ""); {
	case err != nil:
		return started{}, r.explainCall(fmt.Errorf("look for a train of %s: %w", base, err))
	case inTrain != nil:
		return started{}, r.undoInTrain(ctx, base)
	}
	v, err := r.undoable(ctx, unit)
	if err != nil {
		return started{}, err
	}
	read, cancel := context.WithTimeout(ctx, 3*callTimeout)
	defer cancel()
	in, err := activities.Submitted(read, r.client, v.WorkflowID, v.RunID)
	if err != nil {
		return started{}, fmt.Errorf("read how run %s of %s was started: %w", v.RunID, unit, err)
	}
	return r.submit(ctx, con, loaded{spec: in.Spec}, workflows.Submission{
		Spec: in.Spec, FleetDigest: in.FleetDigest, FleetData: in.FleetData, By: by,
		Undo: &workflows.Undo{Run: v.RunID, Why: why},
	})
}

// undoInTrain says what to type instead of an undo in a train.
func (r *remote) undoInTrain(ctx context.Context, unit string) error {
	l, _ := r.train(ctx, unit) // without, there is only the general advice
	next, before := fmt.Sprintf("start the release to return to: sluice start SPEC\n  see which there were: sluice train %s", unit), ""
	for _, c := range l.Closed {
		if c.Result == train.Promoted && c.Number < l.Last {
			before = bundle.Short(c.Release)
		}
	}
	switch {
	case len(l.Open) > 0 && l.Open[0].State == train.Lost:
		next = fmt.Sprintf(`it was ended by hand; take back what it has left: sluice take-back %s:%d --why "…"`, unit, l.Open[0].Number)
	case len(l.Open) > 0:
		newest := l.Open[len(l.Open)-1].Number
		next = fmt.Sprintf(`take back one that is under way, with those younger: sluice abort %s:%d --why "…"`, unit, newest)
	case before != "":
		next = fmt.Sprintf("start the release to return to, such as %s: sluice start SPEC\n  see which there were: sluice train %s", before, unit)
	}
	return refusedf(reasonNothing, "refused: the releases of %s go in a train, and a train goes back by a newer release:\n  %s", unit, next)
}

// undoable is the newest rollout of a unit that has left targets changed.
func (r *remote) undoable(ctx context.Context, unit string) (view, error) {
	newest, err := r.look(ctx, unit, "")
	if err != nil {
		return view{}, err
	}
	if newest.locked() {
		return view{}, refusedf(reasonLocked, "the rollback of %s is incomplete, and the unit is locked: "+
			"sluice retry-rollback %[1]s, or sluice give-up %[1]s --why \"…\"", unit)
	}
	if newest.running() {
		return view{}, refusedf(reasonRunning, "a rollout of %s runs: to roll it back: sluice abort %[1]s --why \"…\"", unit)
	}
	runs := []string{newest.RunID} // the list may not have it yet
	found, err := r.list(ctx, listFilter{unit: unit, limit: 20, unasked: true})
	if err != nil {
		return view{}, err
	}
	for _, l := range found.rows {
		runs = append(runs, l.RunID)
	}
	for _, run := range runs {
		v, err := r.look(ctx, unit, run)
		if err != nil {
			return view{}, err
		}
		o := v.outcome()
		switch {
		case o == nil && !v.endedFromOutside(): // nobody knows what it has done
			return view{}, fmt.Errorf("what became of run %s of %s is not known: %s", run, unit, v.Trouble)
		case o == nil:
			return r.begunBy(ctx, v)
		case o.Result == rollout.PhaseUndone:
			return view{}, refusedf(reasonUndone, "the newest rollout of %s, %s, was undone already: sluice explain %s; "+
				"to get to an earlier release, start a rollout of the release that is meant", unit, v.Release, unit)
		case o.Reason == rollout.RefusedEarlier: // such as a reset of an old undo: it has changed nothing
		case v.State.Undoes != "": // an undo that has not come to its end is done again
			return r.look(ctx, unit, v.State.Undoes)
		case o.Result == rollout.PhasePromoted, o.Result == rollout.PhaseIncomplete:
			return v, nil
		}
	}
	return view{}, refusedf(reasonNothing, "no rollout of %s has left anything changed: sluice list --unit %s", unit, unit)
}

// begunBy is what to undo of a run that was ended from outside: where that was an undo, the run
// that it was to undo.
func (r *remote) begunBy(ctx context.Context, v view) (view, error) {
	read, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	undoes, err := activities.Undone(read, r.client, v.WorkflowID, v.RunID)
	switch {
	case err != nil:
		return view{}, fmt.Errorf("read how run %s of %s was started: %w", v.RunID, v.Unit, err)
	case undoes == "":
		return v, nil
	}
	return r.look(ctx, v.Unit, undoes)
}
