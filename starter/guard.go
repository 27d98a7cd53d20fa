package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

// guarding says that every stage of the rollout has passed, and that it is watched on; by the
// index, where the rollout does not answer.
func (v view) guarding() bool { return v.running() && v.Phase == string(rollout.PhaseGuard) }

// settleWithin is how long a rollout whose guard was ended may take to end: it tells its targets.
const settleWithin = 2 * time.Minute

// succeed ends the guard of a unit's rollout for the next one, and waits for its end. It answers
// whether there was such a guard: the very same rollout, and an undo, end none.
func (r *remote) succeed(ctx context.Context, con *console, v view, sub workflows.Submission) (bool, error) {
	if !v.guarding() || sub.Undo != nil || r.same(ctx, v, sub) {
		return false, nil
	}
	why := "the next rollout, of " + releaseWords(sub.Spec.Release, sub.Spec.Version)
	req := rollout.ControlRequest{By: sub.By, Why: why, ID: v.RunID + "-succeeded"}
	con.say("ending the guard of %s, which all its stages have passed", v.Release)
	if _, err := r.signal(ctx, v, rollout.SignalSettle, req); err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for {
		switch now, err := r.look(ctx, v.Unit, v.RunID); {
		case err == nil && !now.running():
			return true, nil
		case ctx.Err() != nil || pause.For(ctx, pollEvery/4) != nil:
			return true, refusedf(reasonRunning, "the guard of %s of %s did not end within %s: %w: start again once it has: sluice watch %[2]s",
				v.Release, v.Unit, span(settleWithin), errors.Join(err, context.Cause(ctx)))
		}
	}
}

// dormantNotes are what a plan says of what may sleep in a release: a line each for the drill, the
// guard, and what the release may wake.
func dormantNotes(pl planned) []string {
	var out []string
	if d := pl.Drill; d != nil {
		where := "the first stage"
		if d.On == spec.DrillEvery {
			where = "every stage"
		}
		out = append(out, fmt.Sprintf("drill: %s, on each target of %s before its bake; harm if it fails", strings.Join(d.Command, " "), where))
	}
	if pl.Guard > 0 {
		out = append(out, fmt.Sprintf("guard: %s after the last stage; harm takes the release back all the while", pl.Guard))
	}
	if len(pl.Activates) > 0 {
		back := "they stay if this release goes back"
		if pl.OnRegression == spec.OnRegressionBoth {
			back = "what of them is guarded goes back with this release"
		}
		out = append(out, fmt.Sprintf("activates: %s; %s", strings.Join(pl.Activates, ", "), back))
	}
	for i := range out {
		out[i] = terminal.Safe(out[i])
	}
	return out
}
