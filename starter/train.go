package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
	workflows "github.com/sluicehq/sluice/workflows/train"
)

// trainCommands are those of units whose releases overlap.
func trainCommands() []command {
	reason := []cli.Flag{&cli.StringFlag{Name: "why", Usage: "`REASON`, kept with it (required)"}, byFlag()}
	return []command{
		{
			name: "train", arg: "UNIT",
			short: "show the releases of a unit that are under way at once",
			long: `Prints the train of a unit whose spec has train: a row for each release under way, the
youngest first, a column for each stage, what each waits for, and how the last ones ended.
A rollout of a train is named UNIT:NUMBER, such as edge-proxy:3, in every other command.
sluice watch UNIT draws the same again and again.`,
			example: "sluice train edge-proxy",
			remote:  true, run: showTrain,
		},
		{
			name: "hold-unit", arg: "UNIT",
			short: "keep every release of a train from entering a stage",
			long: `No rollout of the unit's train enters a stage until release-hold. Those that are in a
stage go on baking, and still go back on harm.`,
			example: `sluice hold-unit edge-proxy --why "an incident elsewhere"`,
			flags:   reason, remote: true, run: steerTrain("hold-unit", connect.SignalHold, "held: no release enters a stage"),
		},
		{
			name: "release-hold", arg: "UNIT",
			short: "end the hold of a train",
			long: `After a way back a train takes no stage until a newer release is submitted. This ends
the hold without one, and also the hold of a person.`,
			example: `sluice release-hold edge-proxy --why "it was the database"`,
			flags:   reason, remote: true, run: steerTrain("release-hold", connect.SignalRelease, "released: stages are entered again"),
		},
		{
			name: "take-back", arg: "UNIT:NUMBER",
			short: "take back what a rollout of a train has left that was terminated",
			long: `A rollout that was terminated takes nothing back, and no other enters a stage. This starts it
once more, only to take back what its history says that it had changed. Younger rollouts
are withdrawn with it.`,
			example: `sluice take-back edge-proxy:3 --why "terminated by mistake"`,
			flags:   reason, remote: true, run: steerTrain("take-back", connect.SignalTakeBack, "taking back what it had changed"),
		},
	}
}

// steered is what came of a person's signal to a train.
type steered struct {
	Signal string       `json:"signal"`
	Unit   string       `json:"unit"`
	Number train.Number `json:"number,omitempty"`
	Effect string       `json:"effect"`
}

// idle says why a signal would have no effect on a train; empty if it has one.
func idle(l train.Ledger, signal string, n train.Number) string {
	switch r := l.Find(n); {
	case signal == connect.SignalRelease && l.Hold == nil:
		return "no hold is on it"
	case signal == connect.SignalTakeBack && (r == nil || r.State != train.Lost):
		return fmt.Sprintf("rollout %d is none that was terminated, or the train has not noticed yet, which takes a minute at most", n)
	}
	return ""
}

// steerTrain sends a person's signal to a train. One that does not answer gets it as well.
func steerTrain(name, signal, effect string) func(context.Context, *console, *cli.Context) error {
	return func(ctx context.Context, con *console, c *cli.Context) error {
		by, why, err := signed(c, name, true)
		if err != nil {
			return err
		}
		unit, number, numbered := strings.Cut(c.Args().First(), ":")
		req := workflows.Control{By: by, Why: why}
		if n, err := strconv.ParseInt(number, 10, 64); numbered && err == nil {
			req.Number = train.Number(n)
		}
		if (signal == connect.SignalTakeBack) != (req.Number > 0) {
			return usagef("%s: %q is not what it takes: take-back needs UNIT:NUMBER, such as edge-proxy:3, the others UNIT", name, c.Args().First())
		}
		r, err := dial(ctx, con, c)
		if err != nil {
			return err
		}
		defer r.client.Close()
		if l, err := r.train(ctx, unit); err == nil {
			if why := idle(l, signal, req.Number); why != "" {
				return refusedf(reasonNoEffect, "%s has no effect on the train of %s: %s\n  see it: sluice train %[2]s", name, unit, why)
			}
		}
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		err = r.client.SignalWorkflow(ctx, r.deployment.TrainID(unit), "", signal, req)
		if is[*serviceerror.NotFound](err) {
			return &exitError{code: exitInvalid, err: fmt.Errorf("%w: %s has no train", errNoRollout, unit)}
		}
		if err != nil {
			return r.explainCall(fmt.Errorf("%s was not sent: %w", name, err))
		}
		out := steered{Signal: name, Unit: unit, Number: req.Number, Effect: effect}
		return con.answer(out, []string{effect + "; see it: sluice train " + unit})
	}
}

// newestInTrain is the name of the newest rollout in a unit's train, such as edge:3; false if there
// is none.
func (r *remote) newestInTrain(ctx context.Context, unit string) (string, bool) {
	if strings.Contains(unit, ":") {
		return "", false
	}
	numbers, _ := r.numbered(ctx, unit, "") // an error is as good as none: who asks looks for a rollout alone, then
	if len(numbers) == 0 {
		return "", false
	}
	return fmt.Sprintf("%s:%d", unit, slices.Max(numbers)), true
}

// numbered are the numbers of the newest rollouts in a unit's train that match a filter in
// Temporal's language; nil where there is no train.
func (r *remote) numbered(ctx context.Context, unit, filter string) ([]int64, error) {
	_, err := r.describe(ctx, r.deployment.TrainID(unit), "")
	if is[*serviceerror.NotFound](err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.listed(ctx, unit, filter)
}

// listed are the numbers of the newest rollouts of a unit that were in a train and match a filter,
// whether there is one or not.
func (r *remote) listed(ctx context.Context, unit, filter string) (out []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: 100, Query: fmt.Sprintf("WorkflowType = '%s' AND %s = '%s'%s", connect.WorkflowType, connect.AttrUnit.GetName(), unit, filter),
	})
	for _, e := range list.GetExecutions() {
		text, ok := strings.CutPrefix(e.GetExecution().GetWorkflowId(), r.deployment.WorkflowID(unit)+":")
		if n, err := strconv.ParseInt(text, 10, 64); ok && err == nil {
			out = append(out, n)
		}
	}
	return out, err
}

// alone refuses what has a unit for itself while releases in its train are under way.
func (r *remote) alone(ctx context.Context, con *console, unit string) error {
	open, err := r.numbered(ctx, unit, " AND ExecutionStatus = 'Running'")
	if err != nil {
		return r.explainCall(fmt.Errorf("look for a train of %s: %w", unit, err))
	}
	if len(open) == 0 {
		return r.afterTrain(ctx, con, unit)
	}
	return refusedf(reasonRunning, "refused: rollout %d of the train of %s is under way: "+
		"put train: into the spec, or wait for its end\n"+
		"  see it: sluice train %s",
		slices.Max(open), unit, unit)
}

// afterTrain waits until the fence of a rollout alone, which is its time, is above those of the
// unit's train. Where nobody can say what those are, it does not wait.
func (r *remote) afterTrain(ctx context.Context, con *console, unit string) error {
	l, err := r.train(ctx, unit)
	if err != nil {
		return ctx.Err()
	}
	wait := time.UnixMilli(l.Term.Top() / 2).Sub(con.now())
	if wait <= 0 {
		return nil
	}
	wait = wait.Truncate(time.Second) + time.Second
	con.say("waiting %s: the targets of %s obey its train until then", spec.Duration(wait), unit)
	return pause.For(ctx, wait)
}
