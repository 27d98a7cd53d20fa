package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/train"
	workflows "github.com/sluicehq/sluice/workflows/train"
)

// mostAtAll is how many rollouts a signal for all is sent to.
const mostAtAll = 1000

// sentTo is what came of a signal for all at one rollout.
type sentTo struct {
	signalResult
	Error  string `json:"error,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// sendAll signals every rollout that runs, after a person at a terminal has said yes, and tells of
// each what came of it. A rollout that goes back already is no failure.
func (s signalCommand) sendAll(ctx context.Context, con *console, r *remote, req rollout.ControlRequest, yes bool) error {
	got, err := r.list(ctx, listFilter{open: true, limit: mostAtAll, unasked: true})
	if err != nil {
		return err
	}
	where := fmt.Sprintf("in namespace %s of %s", r.namespace, r.address)
	if r.deployment != "" {
		where = "of deployment " + string(r.deployment) + " " + where
	}
	trains, err := r.trains(ctx, listFilter{open: true, limit: maxAsked})
	if err != nil {
		return err
	}
	trains = slices.DeleteFunc(trains, func(t listedTrain) bool { return t.Queued == 0 })
	if len(got.rows)+len(trains) == 0 {
		if con.json {
			return con.object(map[string]any{"signal": s.Name, "rollouts": []sentTo{}})
		}
		con.say("no rollout runs %s: nothing to %s", where, s.Name)
		return nil
	}
	if !yes && !con.agrees(fmt.Sprintf("%s %s %s: %s?", s.Name, plural(len(got.rows), "rollout"), where, unitsOf(got.rows))) {
		return refusedf(reasonNotConfirmed, "%s was not sent: nobody said yes (--yes does)", s.Name)
	}
	held := r.hold(ctx, s.Name, trains, req)
	results := make([]sentTo, len(got.rows))
	atOnce(len(results), func(i int) { results[i] = s.sendOne(ctx, con, r, got.rows[i].Unit, req) })
	return s.tellAll(con, append(held, results...), got.more)
}

// hold keeps trains in which a rollout is queued from entering a stage: one that has not begun can
// be sent nothing, and begins when the way back before it has ended.
func (r *remote) hold(ctx context.Context, name string, trains []listedTrain, req rollout.ControlRequest) (out []sentTo) {
	for _, t := range trains {
		err := r.client.SignalWorkflow(ctx, t.WorkflowID, "", connect.SignalHold, workflows.Control{By: req.By, Why: req.Why})
		effect := fmt.Sprintf("%s had not begun: the unit is held, so that none enters a stage; sluice release-hold %s ends that",
			plural(t.Queued, "release"), t.Unit)
		sent := sentTo{signalResult: signalResult{
			Signal: name, Unit: t.Unit, WorkflowID: t.WorkflowID, Taken: err == nil, Effect: effect,
		}}
		if err != nil {
			sent.Error = err.Error()
		}
		out = append(out, sent)
	}
	return out
}

// sayOlder says which older rollouts of a train an abort of a younger one leaves as they are.
func (r *remote) sayOlder(ctx context.Context, con *console, name string) {
	unit, number, numbered := strings.Cut(name, ":")
	if !numbered {
		return
	}
	l, err := r.train(ctx, unit)
	if err != nil || len(l.Open) == 0 {
		return // it is only a hint
	}
	if o := l.Open[0]; strconv.FormatInt(int64(o.Number), 10) != number && o.State != train.Back {
		con.say("older rollouts of its train go on, the oldest is %s:%d; an abort of that takes all of them back", unit, o.Number)
	}
}

// sendOne signals one of all rollouts.
func (s signalCommand) sendOne(ctx context.Context, con *console, r *remote, unit string, req rollout.ControlRequest) sentTo {
	var out signalResult
	v, err := r.look(ctx, unit, "")
	if err == nil && v.running() && v.State != nil && v.State.GoingBack() {
		out = signalResult{Signal: s.Name, Unit: unit, WorkflowID: v.WorkflowID, RunID: v.RunID, Phase: v.Phase, Taken: true}
		out.Effect = "it rolls back already, and is " + v.Phase + ": sluice watch " + unit
		return sentTo{signalResult: out}
	}
	if err == nil {
		out, err = s.deliver(ctx, con, r, v, req)
	}
	if err != nil {
		out.Signal, out.Unit = s.Name, unit
		t := sentTo{signalResult: out, Error: err.Error()}
		if e, ok := errors.AsType[*exitError](err); ok {
			t.Reason = e.reason
		}
		return t
	}
	return sentTo{signalResult: out}
}

// tellAll tells what came of a signal for all. It fails if any rollout that still runs may not have
// it.
func (s signalCommand) tellAll(con *console, results []sentTo, more bool) error {
	failed := 0
	for _, t := range results {
		switch {
		case t.Error == "":
			con.say("%s", t.signalResult)
		case t.Reason == reasonNotRunning:
			con.say("%s %s: it has just ended", s.Name, t.Unit)
		default:
			failed++
			con.say("%s %s: NOT DONE: %s", s.Name, t.Unit, t.Error)
		}
	}
	if con.json {
		if err := con.object(map[string]any{"signal": s.Name, "rollouts": results}); err != nil {
			return err
		}
	}
	switch {
	case failed > 0:
		con.say("sluice: %s was not taken by %d of %s; send it again", s.Name, failed, plural(len(results), "rollout"))
	case more:
		con.say("sluice: more than %d rollouts run: send it again for the others", mostAtAll)
	default:
		return nil
	}
	return ended(exitInternal)
}

func unitsOf(rows []listed) string {
	var units []string
	for _, l := range rows {
		units = append(units, l.Unit)
	}
	return terminal.Safe(strings.Join(units, ", "))
}

// agrees asks a person at a terminal; where there is none, whoever typed the command has agreed.
func (c *console) agrees(question string) bool {
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return true
	}
	c.say("%s [y/N]", question)
	answer, _ := bufio.NewReader(f).ReadString('\n') // without a line nobody has agreed
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
