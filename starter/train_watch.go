package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/train"
)

// trainFollower follows the train of a unit until nothing is under way in it.
type trainFollower struct {
	remote  *remote
	con     *console
	unit    string
	timeout time.Duration // 0 means none
	screen  *screen
	// known are the rollouts that were seen under way, and told what was said last.
	known map[train.Number]bool
	told  []string
}

// inTrain says that a name is a unit whose releases go in a train that runs.
func (r *remote) inTrain(ctx context.Context, unit string) bool {
	if unit == "" || strings.Contains(unit, ":") {
		return false
	}
	d, err := r.describe(ctx, r.deployment.TrainID(unit), "")
	if err != nil || d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return false
	}
	alone, err := r.describe(ctx, r.deployment.WorkflowID(unit), "")
	return err != nil || alone.GetWorkflowExecutionInfo().GetCloseTime() != nil
}

// follow shows the train until nothing is under way, and answers the exit code.
func (f *trainFollower) follow(ctx context.Context) (int, error) {
	f.known = map[train.Number]bool{}
	if f.con.screen != nil && !f.con.json {
		f.screen = &screen{out: f.con.out, size: f.con.size}
	}
	var last trainView
	left, err := looking(ctx, f.timeout, func(ctx context.Context) (bool, error) {
		next, err := f.remote.lookTrain(ctx, f.unit)
		trouble := ""
		switch {
		case over(ctx):
			return false, nil
		case err != nil && (last.unit == "" || !transient(err)):
			return false, err
		case err != nil:
			trouble = "the train does not answer; trying again: " + rootMessage(err)
		default:
			last = next
		}
		err = f.show(last, trouble)
		return err == nil && trouble == "" && last.done(), err
	})
	switch {
	case left != "":
		return 0, f.stop(last, runningf("%s: the train of %s goes on\n  look again: sluice watch %[2]s", left, f.unit))
	case err != nil:
		return 0, f.stop(last, err)
	}
	return last.exitCode(), f.end(last)
}

// show draws the picture again, or tells what has changed.
func (f *trainFollower) show(v trainView, trouble string) error {
	now := f.con.now()
	if f.screen != nil {
		lines := v.lines(now, f.con.paint)
		if trouble != "" {
			lines = append([]string{f.con.paint.yellow(terminal.Safe(trouble))}, lines...)
		}
		hint := fmt.Sprintf("Ctrl-C stops the looking; sluice watch %s:NUMBER shows one with all its checks", f.unit)
		return f.screen.draw(f.con.shown(append(lines, f.con.paint.faint(hint))))
	}
	facts := v.facts(f.known)
	if trouble != "" {
		facts = append(facts, trouble)
	}
	var lines []string
	for _, fact := range facts {
		if !slices.Contains(f.told, fact) {
			lines = append(lines, clock(now, now)+" "+terminal.Safe(fact))
		}
	}
	f.told = facts
	if !f.con.json {
		return f.con.lines(lines)
	}
	if len(lines) == 0 {
		return nil
	}
	return f.con.encoder().Encode(map[string]any{"at": now, "event": "train", "unit": f.unit, "train": v.ledger, "trouble": trouble})
}

// end tells what the train came to.
func (f *trainFollower) end(v trainView) error {
	if err := f.stop(v, nil); err != nil || f.screen != nil {
		return err
	}
	text := "nothing is under way in the train of " + f.unit
	if len(v.ledger.Open) > 0 {
		text = "a person has to take something back before the train of " + f.unit + " goes on: sluice train " + f.unit
	}
	now := f.con.now()
	if f.con.json {
		return f.con.encoder().Encode(map[string]any{
			"at": now, "event": "end", "unit": f.unit, "code": v.exitCode(), "text": text, "train": v.ledger,
		})
	}
	return f.con.lines([]string{clock(now, now) + " " + text})
}

// stop draws for the last time, and answers the error.
func (f *trainFollower) stop(v trainView, err error) error {
	f.con.compact = true // in JSON, after a stream of lines
	if f.screen != nil && v.unit != "" {
		if drawErr := f.screen.finish(f.con.shown(v.lines(f.con.now(), f.con.paint))); drawErr != nil {
			return drawErr
		}
	}
	return err
}
