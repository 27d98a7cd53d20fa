package rollout

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// judging is the bake and the gate of one stage.
type judging struct {
	run   *run
	stage int
	suspendedStep
}

// The steps of judging a stage.
const (
	stepBake = "bake"
	stepGate = "gate"
	stepHold = "hold"
	stepWait = "wait"
)

// forever is the clock of a wait that only a person or harm ends.
const forever = time.Duration(-1)

// maxHolds bounds how often evidence that comes and goes is put to the gate.
const maxHolds = 20

// newJudging begins to judge a stage that was applied, or goes on where an earlier run has
// suspended it.
func (r *run) newJudging(stage int) *judging {
	j := &judging{run: r, stage: stage}
	if r.Suspended != nil {
		j.suspendedStep, r.Suspended = *r.Suspended, nil
		if j.Watched.Until.IsZero() { // v0.1.0 has carried it, and has not asked who watched
			bake := r.spec.Stages[stage].Bake.Std()
			j.Watched = health.Watched{Until: workflow.Now(r.ctx), For: bake - max(0, j.Clock), Most: bake}
		}
		return j
	}
	s := r.spec.Stages[stage]
	j.suspendedStep = suspendedStep{Step: stepBake, Clock: s.Bake.Std(), HoldLeft: s.DecideWithin.Std(), Input: r.Judged}
	j.Watched = health.Watched{Until: r.Judged.Since, Most: s.Bake.Std()}
	r.State.Promotion = nil // a promote is for the stage that it was sent to
	return j
}

// untilPassed returns nil when the stage may be left for the next one.
func (j *judging) untilPassed() error {
	for {
		var err error
		passed := false
		switch j.Step {
		case stepBake:
			err = j.bake()
		case stepHold:
			err = j.hold()
		case stepWait:
			passed, err = j.wait()
		default:
			passed, err = j.decide()
		}
		if errors.Is(err, errContinueAsNew) {
			rest := j.suspendedStep
			j.run.Suspended = &rest
		}
		if err != nil || passed {
			return err
		}
	}
}

// bake watches for as long as the stage bakes.
func (j *judging) bake() error {
	r, s := j.run, &j.run.State.Stages[j.stage]
	why, until := fmt.Sprintf("watching %s for %s", s.Name, s.Bake), untilTime
	if a := r.spec.Stages[j.stage].Adaptive; a != nil {
		why = fmt.Sprintf("watching %s for %s to %s, until every check has shown to be less than %s worse", s.Name, a.Min, s.Bake, a.Enough)
		until = untilShown
	}
	if j.Longer > 0 {
		why = fmt.Sprintf("the bake of %s goes on: %s of it nobody watched", s.Name, spec.Duration(j.Clock.Round(time.Second)))
	}
	r.enter(rollout.PhaseBake, why)
	var err error
	j.Clock, err = j.watchUntil(j.Clock, "bake "+s.Name+" for "+s.Bake.String(), until, j.overridden)
	if err == nil {
		j.Step = stepGate
	}
	return err
}

// decide puts the evidence to the gate, and answers whether the stage may be left.
func (j *judging) decide() (bool, error) {
	if j.bakesOn() {
		return false, nil
	}
	g, err := j.gate()
	switch {
	case err != nil:
		return false, err
	case g.Decision == rollout.Hold && j.bakesOn():
		return false, nil
	case g.Decision == rollout.RollBack && j.leavesOut():
		return false, nil
	case g.Decision == rollout.RollBack:
		return false, &failure{why: g.Why, report: &g.Report}
	case g.Decision == rollout.Hold:
		j.Step = stepHold
		j.Holds++
		return false, nil
	}
	if may, err := j.mayLeave(); err != nil || may {
		return may, err
	}
	j.Step, j.Longer = stepWait, 0
	if g.Override != nil { // what a person decided still holds after the wait
		j.Passed = &rollout.OverrideGrant{By: *g.Override, Failed: rollout.FailedChecks(g.Report)}
	}
	return false, nil
}

// override is what a person has decided of the stage, if it holds for a report; nil if nobody has.
func (j *judging) override(of health.Report) *rollout.Control {
	if p := j.run.State.Promotion; p != nil || j.Passed == nil {
		return p
	}
	return j.Passed.For(of)
}

func (j *judging) overridden() bool { return j.run.State.Promotion != nil }

// mayLeave asks for the next stage, and says whether the stage may be left for it now. A train that
// has nothing against it says so within a moment: to watch on until then would cost two activities,
// and the seconds in which a watch ends.
func (j *judging) mayLeave() (bool, error) {
	r := j.run
	r.wantStage(j.stage + 1)
	if !r.unanswered(j.stage + 1) {
		return j.blocked() == "", nil
	}
	err := r.awaitFor(r.ctx, trainAnswers, "hear from the train", func() bool { return !r.unanswered(j.stage + 1) })
	return err == nil && j.blocked() == "", err
}

// blocked says what keeps a stage that passed from being left; empty if nothing.
func (j *judging) blocked() string { return j.run.blocked(j.stage + 1) }

// wait goes on watching a stage that passed until it may be left. One whose targets younger
// rollouts have taken meanwhile shows nothing more: its gate has passed, and it may be left at
// once.
func (j *judging) wait() (passed bool, err error) {
	r := j.run
	for why := j.blocked(); why != ""; why = j.blocked() {
		phase := rollout.PhaseBake
		if r.needsApproval(j.stage + 1) {
			r.ask(j.stage + 1)
			phase = rollout.PhaseApproval
		} else if r.State.Paused == nil {
			phase = rollout.PhaseTurn
		}
		r.wantStage(j.stage + 1)
		r.enter(phase, why)
		if r.handedOn() {
			err = r.await(r.ctx, func() bool { return j.blocked() != why || !r.handedOn() || r.historyFull() })
			if err == nil && r.historyFull() {
				err = errContinueAsNew
			}
		} else {
			_, err = j.watchUntil(forever, "", untilTime, func() bool { return j.blocked() != why || r.handedOn() })
		}
		if err != nil {
			return false, err
		}
	}
	if r.handedOn() {
		return true, nil
	}
	r.enter(rollout.PhaseBake, "looking again before "+r.State.Stages[j.stage].Name+" is left")
	j.Step = stepGate
	return false, nil
}

// hold goes on watching a stage without a verdict until there is one, a person decides, or the
// stage's time to decide is over.
func (j *judging) hold() error {
	r, s := j.run, j.run.spec.Stages[j.stage]
	gates := r.State.Stages[j.stage].Gates
	g := gates[len(gates)-1]
	person := s.Undecided == spec.UndecidedWait
	over := j.HoldLeft <= 0 || j.Holds > maxHolds
	if over && !person {
		return &failure{why: fmt.Sprintf("no verdict on %s within %s: %s", s.Name, s.DecideWithin, g.Why), report: &g.Report}
	}
	clock, next := j.HoldLeft, fmt.Sprintf("rolls back in %s unless that changes", spec.Duration(j.HoldLeft.Round(time.Second)))
	if over {
		clock, next = forever, fmt.Sprintf("waits for a person: sluice promote %[1]s --why … or sluice abort %[1]s", r.name())
	} else if person {
		next = fmt.Sprintf("asks a person in %s unless that changes", spec.Duration(j.HoldLeft.Round(time.Second)))
	}
	r.enter(rollout.PhaseHold, g.Why+"; "+next)
	end := untilPass
	if j.Holds >= maxHolds {
		end = untilTime
	}
	left, err := j.watchUntil(clock, "hold "+s.Name+" for a verdict", end, j.overridden)
	if clock != forever {
		j.HoldLeft = left
	}
	if err == nil {
		j.Step = stepGate
	}
	return err
}

// gate evaluates the stage once more and decides.
func (j *judging) gate() (rollout.Gate, error) {
	r, name := j.run, j.run.State.Stages[j.stage].Name
	r.State.Enter(rollout.PhaseGate, "evaluating the checks of "+name+" once more", workflow.Now(r.ctx))
	o := options("decide on "+name, gateTimeout)
	o.ScheduleToCloseTimeout = gateTimeout + r.spec.Stages[j.stage].DecideWithin.Std()
	now := workflow.Now(r.ctx)
	j.Watched.Owing = true // the bake is over: nothing makes up for a gate that comes late
	var out activities.StageReport
	r.arms(&j.Input.StageRef)
	err := r.do(r.ctx, o, activities.TypeGate, activities.GateInput{HealthInput: j.Input, At: now, Watched: j.Watched}, &out)
	r.lookEnds()
	if r.ctx.Err() != nil {
		return rollout.Gate{}, r.ctx.Err()
	}
	if err == nil {
		j.take(out)
	} else {
		j.Last = unjudged(now, err)
	}
	j.show()
	g := rollout.Gate{At: workflow.Now(r.ctx), Report: j.Last}
	by := j.override(j.Last)
	g.Decision, g.Why = rollout.Decide(j.Last, by)
	if g.Decision == rollout.Promote && (j.Last.Verdict() != health.Pass || j.missing() > 0) {
		g.Override = by
	}
	if s := r.spec.Stages[j.stage]; g.Decision == rollout.Promote && g.Override == nil && s.Adaptive != nil && j.Clock > 0 && j.Last.Shown() {
		baked := spec.Duration((s.Bake.Std() - j.Clock).Round(time.Second))
		g.Why += fmt.Sprintf(", after %s of at most %s: shown to be less than %s worse", baked, s.Bake, s.Adaptive.Enough)
	}
	j.attest(&g)
	r.State.Promotion, j.Passed = nil, nil
	j.record(g)
	return g, nil
}

// record keeps a decision with its evidence. The resolved queries are kept of the newest only: a
// state must fit into a payload.
func (j *judging) record(g rollout.Gate) {
	s := &j.run.State.Stages[j.stage]
	if n := len(s.Gates); n > 0 {
		s.Gates[n-1].Report = rollout.WithoutQueries(s.Gates[n-1].Report)
	}
	s.Gates = append(s.Gates, g)
	if len(s.Gates) > rollout.MaxGates {
		s.Gates = s.Gates[1:]
	}
}

// unjudged is the report of a gate whose evaluation did not come about.
func unjudged(at time.Time, err error) health.Report {
	return health.Report{At: at, Results: []health.Result{{
		Check: "judge", Verdict: health.NoData, Sentence: "the checks could not be evaluated: " + Plainly(err),
	}}}
}
