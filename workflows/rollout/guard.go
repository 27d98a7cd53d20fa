package rollout

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

// stepGuard is the watch after the last stage.
const stepGuard = "guard"

// Looks of a guard are further apart than those of a bake: a thousand over its length, at most a
// minute.
const (
	guardLooks   = 1000
	longestPause = time.Minute
)

// guarding says that the run goes on with a guard that an earlier one has begun.
func (r *run) guarding() bool { return r.Suspended != nil && r.Suspended.Step == stepGuard }

// guard watches on after the last stage, for as long as the spec says, until somebody settles the
// release. Harm takes it back as in a bake. It asks no gate in the end: every stage has passed its
// own.
func (r *run) guard() error {
	length := r.spec.Guard.Std()
	if length == 0 && !r.coupled() {
		return nil
	}
	r.tellTrain(func(p *train.RolloutReport) { p.Passed, p.Guards, p.Wants = len(r.Planned.Stages), true, false })
	j := r.newest
	if j == nil && !r.guarding() { // the run began with a sweep that found nobody
		j = r.newJudging(len(r.Planned.Stages) - 1)
	}
	if r.guarding() {
		j = &judging{run: r, stage: r.State.Stage, suspendedStep: *r.Suspended}
		r.Suspended = nil
	} else {
		j.Step, j.Clock = stepGuard, length
		if gates := r.State.Stages[j.stage].Gates; len(gates) > 0 { // what a person let pass is no harm of the guard's
			if g := gates[len(gates)-1]; g.Override != nil {
				j.Passed = &rollout.OverrideGrant{By: *g.Override, Failed: rollout.FailedChecks(g.Report)}
			}
		}
		j.Input.Every = max(r.spec.Health.Every.Std(), min(length/guardLooks, longestPause))
	}
	until := workflow.Now(r.ctx).Add(j.Clock)
	if length > 0 {
		r.enter(rollout.PhaseGuard, fmt.Sprintf("all stages have passed; watching on for %s, until %s: "+
			"sluice settle %s ends that, and so does the next rollout",
			spec.Duration(j.Clock.Round(time.Second)), until.UTC().Format("2006-01-02 15:04"), r.State.Unit))
	}
	var err error
	ended := func() bool { return r.State.Settled != nil || r.yields() }
	j.Clock, err = j.watchUntil(j.Clock, "guard "+r.State.Release+" for "+r.spec.Guard.String(), untilTime, ended)
	if err == nil {
		err = r.awaitOlder(j)
	}
	if errors.Is(err, errContinueAsNew) {
		rest := j.suspendedStep
		r.Suspended = &rest
	}
	if length == 0 {
		return err
	}
	r.guarded = guardWords(length-j.Clock, r.State.Settled, j.Last)
	return err
}

// guardWords say how a guard ended.
func guardWords(watched time.Duration, by *rollout.Control, last health.Report) string {
	words := "; guarded for " + spec.Duration(watched.Round(time.Second)).String()
	if by != nil {
		words += ", until " + by.By + " settled it"
	}
	if !last.Saw() {
		words += ", and the last look had no data"
	}
	return words
}
