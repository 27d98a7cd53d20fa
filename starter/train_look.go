package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/serviceerror"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/train"
)

// trainView is a unit's train as it is known now: its ledger, and what the rollouts under way say
// of themselves, as far as they answer.
type trainView struct {
	unit   string
	ledger train.Ledger
	says   map[train.Number]view
}

// showTrain prints a unit's train.
func showTrain(ctx context.Context, con *console, c *cli.Context) error {
	r, err := dial(ctx, con, c)
	if err != nil {
		return err
	}
	defer r.client.Close()
	unit, _, _ := strings.Cut(c.Args().First(), ":")
	v, err := r.lookTrain(ctx, unit)
	if err != nil {
		return err
	}
	return con.answer(v.ledger, v.lines(con.now(), con.paint))
}

// train asks a unit's train for its ledger. A worker that has died is asked for five seconds before
// another one is.
func (r *remote) train(ctx context.Context, unit string) (train.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*callTimeout)
	defer cancel()
	var l train.Ledger
	v, err := r.client.QueryWorkflow(ctx, r.deployment.TrainID(unit), "", connect.QueryLedger)
	if is[*serviceerror.NotFound](err) {
		return l, &exitError{code: exitInvalid, err: fmt.Errorf("%w: %s has no train: its spec needs `train: {}`", errNoRollout, unit)}
	}
	if err != nil {
		return l, r.explainCall(fmt.Errorf("ask the train of %s: %w", unit, err))
	}
	return l, v.Get(&l)
}

// lookTrain asks a unit's train, and the rollouts that are under way in it.
func (r *remote) lookTrain(ctx context.Context, unit string) (trainView, error) {
	l, err := r.train(ctx, unit)
	v := trainView{unit: unit, ledger: l, says: map[train.Number]view{}}
	if err != nil {
		return v, err
	}
	asking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var mu sync.Mutex
	atOnce(len(l.Open), func(i int) {
		o := l.Open[i]
		name := fmt.Sprintf("%s:%d", unit, o.Number)
		w := view{Unit: name, WorkflowID: r.deployment.WorkflowID(name), Status: statusRunning}
		if s, err := r.query(asking, w); err == nil {
			w.State = s
			mu.Lock()
			defer mu.Unlock()
			v.says[o.Number] = w.inside()
		}
	})
	return v, ctx.Err()
}

// stages are the names of all stages, where every rollout under way has the same; else how many
// each has at most, by number.
func (v trainView) stages() []string {
	var names []string
	most, same := 0, true
	for _, o := range v.ledger.Open {
		most = max(most, o.Stages)
		var own []string
		if s := v.says[o.Number].State; s != nil {
			for _, st := range s.Stages {
				own = append(own, st.Name)
			}
		}
		if own == nil {
			continue
		}
		same = same && (names == nil || slices.Equal(names, own))
		names = own
	}
	if same && len(names) >= most {
		return names
	}
	names = nil
	for i := range most {
		names = append(names, strconv.Itoa(i+1))
	}
	return names
}

// lines are a row for each rollout, a column for each stage, and what ends a hold.
func (v trainView) lines(now time.Time, p paint) []string {
	l, unit := v.ledger, v.unit
	var out []string
	if l.Hold != nil {
		out = append(out, p.yellow("HELD: "+terminal.Safe(l.Hold.Why)))
		for _, r := range l.Open {
			if r.State == train.Lost {
				out = append(out, fmt.Sprintf(`  take back what it has left: sluice take-back %s:%d --why "…"`, unit, r.Number))
			}
		}
		out = append(out, fmt.Sprintf(`  go on with those under way: sluice release-hold %s --why "…"`, unit), "")
	}
	stages := v.stages()
	heads := append(append([]string{"ROLLOUT", "RELEASE"}, stages...), "STATE", "WAITS FOR, OR WHY IT ENDED")
	rows := [][]string{p.headings(heads...)}
	for _, r := range slices.Backward(l.Open) {
		row := []string{strconv.FormatInt(int64(r.Number), 10), terminal.Safe(bundle.Short(r.Release))}
		for i := range stages {
			row = append(row, v.cell(r, i, p))
		}
		rows = append(rows, append(row, p.cyan(r.Word()), orDash(terminal.Safe(v.waits(r, now)))))
	}
	for _, c := range l.Ended(maxEnded) {
		row := []string{strconv.FormatInt(int64(c.Number), 10), terminal.Safe(bundle.Short(c.Release))}
		rows = append(rows, append(append(row, make([]string, len(stages))...), p.phase(c.Result), terminal.Safe(cut(c.Why, maxEnd))))
	}
	return append(out, columns(rows)...)
}

// How many rollouts that have ended the table of a train shows, and how many cells of why; status
// shows all.
const (
	maxEnded = 10
	maxEnd   = 100
)

// cell is where a rollout stands with a stage, by its index, and what it does there.
func (v trainView) cell(r train.Rollout, i int, p paint) string {
	switch mark := r.Mark(i); mark {
	case train.InStage:
		if s := v.says[r.Number].State; s != nil && s.Phase != rollout.PhasePlanning {
			mark = string(s.Phase)
		}
		return p.phase(mark)
	case "✓":
		return p.green(mark)
	case "waits":
		return p.yellow(mark)
	case "↩", "left":
		return p.red(mark)
	default:
		return p.faint(mark)
	}
}

// waits is what a rollout under way waits for.
func (v trainView) waits(r train.Rollout, now time.Time) string {
	w, ok := v.says[r.Number]
	switch {
	case r.Told.Waits != "" || !ok:
		return r.Told.Waits
	case w.locked():
		return "targets are not back: sluice retry-rollback " + w.Unit
	case w.State.Outcome != nil:
		return w.State.Outcome.Why
	}
	return glanceAt(w, now).ends(now)
}

// stuck says that only a person gets a rollout on: it was ended by hand, or its way back is
// incomplete.
func (v trainView) stuck(r train.Rollout) bool {
	return r.State == train.Lost || v.says[r.Number].locked()
}

// done says that nothing is under way, or that all that is waits for a person to take something
// back.
func (v trainView) done() bool {
	moves := func(r train.Rollout) bool { return !v.stuck(r) && !r.Wants && r.State != train.Queued }
	return len(v.ledger.Open) == 0 || slices.ContainsFunc(v.ledger.Open, v.stuck) && !slices.ContainsFunc(v.ledger.Open, moves)
}

// exitCode is that of the newest rollout: all targets run it once it is promoted, and one that goes
// back takes it along.
func (v trainView) exitCode() int {
	if slices.ContainsFunc(v.ledger.Open, v.stuck) {
		return exitIncomplete
	}
	if !v.done() {
		return exitRunning
	}
	for _, c := range v.ledger.Closed {
		if c.Number == v.ledger.Last && c.Result == "terminated" {
			return exitIncomplete
		} else if c.Number == v.ledger.Last {
			return resultCode(rollout.Phase(c.Result))
		}
	}
	return exitOK
}

// facts are what a train tells in lines: who is where, without times, and how those in known have
// ended.
func (v trainView) facts(known map[train.Number]bool) []string {
	var out []string
	if h := v.ledger.Hold; h != nil {
		out = append(out, v.unit+" is held: "+h.Why)
	}
	for _, c := range v.ledger.Closed {
		if known[c.Number] {
			out = append(out, fmt.Sprintf("%s:%d %s ended as %s: %s", v.unit, c.Number, bundle.Short(c.Release), c.Result, c.Why))
		}
	}
	for _, r := range v.ledger.Open {
		known[r.Number] = true
		text := fmt.Sprintf("%s:%d %s %s", v.unit, r.Number, bundle.Short(r.Release), r.Word())
		if s := v.says[r.Number].State; r.Told.Waits != "" {
			text += ": " + r.Told.Waits
		} else if s != nil && s.Phase != rollout.PhaseTurn {
			text += ", " + string(s.Phase)
		}
		out = append(out, text)
	}
	return out
}
