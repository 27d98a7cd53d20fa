package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
)

// A rollout in a train asks before each stage, hears what became of the others, and tells how it
// stands. It asks nobody before it goes back.

// Place is a rollout's place in the train of its unit.
type Place struct {
	Number train.Number `json:"number"`
	// Standing is what the train had to say when the rollout was started.
	Standing train.Standing `json:"standing"`
	// TakeBack has it take back what an earlier run of the same number has left, which was ended by
	// hand, and nothing else.
	TakeBack bool `json:"takeBack,omitempty"`
}

// coupling is what a rollout in a train knows of that; it is carried to new runs.
type coupling struct {
	// Standing is the newest that has arrived.
	Standing train.Standing `json:"standing,omitzero"`
	// Report is the newest that was sent.
	Report train.RolloutReport `json:"report,omitzero"`
}

// coupled says that the rollout is in a train.
func (r *run) coupled() bool { return r.sub.Train != nil }

// name is what commands call the rollout, such as edge or, in a train, edge:3: edge alone is the
// newest there.
func (r *run) name() string {
	if r.coupled() {
		return fmt.Sprintf("%s:%d", r.State.Unit, r.State.Number)
	}
	return r.State.Unit
}

// couple takes the place in the train, and opens the channel of its standings.
func (r *run) couple(ctx workflow.Context) {
	if !r.coupled() {
		return
	}
	r.standings = workflow.GetSignalChannelWithOptions(ctx, connect.SignalStanding, workflow.SignalChannelOptions{
		Description: "the train tells this rollout where it stands: not for people",
	})
	if r.sub.Carried == nil {
		r.Coupling.Standing = r.sub.Train.Standing
		r.Coupling.Report = train.RolloutReport{Number: r.sub.Train.Number, Heard: r.sub.Train.Standing.Version}
		r.State.Number, r.State.Fence = int64(r.sub.Train.Number), r.Coupling.Standing.Fence
	}
}

// hearTrain takes the standings that have arrived, and answers how many.
func (r *run) hearTrain() (n int) {
	if !r.coupled() {
		return 0
	}
	for s := (train.Standing{}); r.standings.ReceiveAsync(&s); s = (train.Standing{}) {
		n++
		if s.Version <= r.Coupling.Standing.Version {
			continue
		}
		r.Coupling.Standing = s
		if r.overtaken() && !r.State.GoingBack() {
			r.cancelForward()
		}
	}
	if n > 0 {
		r.acknowledge()
	}
	return n
}

// acknowledge tells the train that the newest standing is acted by. A look that is under way still
// counts targets that a younger rollout is to take: it ends first.
func (r *run) acknowledge() {
	if !r.coupled() || r.armsChanged() {
		return
	}
	r.tellTrain(func(p *train.RolloutReport) { p.Heard = r.Coupling.Standing.Version })
}

// armsChanged says that a look is under way that counts other targets than the newest standing
// says. What a rollout that was stopped still sees decides nothing.
func (r *run) armsChanged() bool {
	return r.coupled() && r.looking && r.ctx.Err() == nil && !slices.Equal(r.lookingWithout, r.Coupling.Standing.Taken)
}

// arms are the input of a look as the train has it now, until lookEnds. The control stays within
// what the stage began beside: a standing that grants the next stage has the next one's, and what
// the checks have seen is not of that.
func (r *run) arms(in *activities.StageRef) {
	if r.coupled() {
		in.Taken = r.Coupling.Standing.Taken
		r.looking, r.lookingWithout = true, in.Taken
	}
}

func (r *run) lookEnds() {
	r.looking = false
	r.acknowledge()
}

// tellTrain sends a report, if it says anything new. A train that cannot be told is told again with
// the next one. A run does not end before its reports are taken: Temporal drops what a workflow
// sends in the task that ends it.
func (r *run) tellTrain(change func(*train.RolloutReport)) {
	if !r.coupled() {
		return
	}
	now := r.Coupling.Report
	change(&now)
	if now == r.Coupling.Report {
		return
	}
	now.Seq = now.Next(workflow.Now(r.base))
	r.Coupling.Report = now
	r.reporting++
	id := connect.DeploymentOf(workflow.GetInfo(r.base).TaskQueueName).TrainID(r.State.Unit)
	f := workflow.SignalExternalWorkflow(r.base, id, "", connect.SignalReport, now)
	workflow.Go(r.base, func(ctx workflow.Context) {
		defer func() { r.reporting-- }()
		if err := f.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("the train was not told how the rollout stands", "error", err)
		}
	})
}

// awaitTrain waits until the train has taken what it was told.
func (r *run) awaitTrain() {
	if r.reporting > 0 {
		_ = r.awaitFor(r.base, time.Minute, "tell the train how the rollout stands", func() bool { return r.reporting == 0 })
	}
}

// leaveTrain tells the train how the rollout has ended.
func (r *run) leaveTrain() {
	if o := r.State.Outcome; o != nil {
		r.tellTrain(func(p *train.RolloutReport) {
			p.Result, p.Why, p.Wants = string(o.Result), rollout.Clip(o.Why, maxTold), false
		})
	}
}

// maxTold bounds, in bytes, why a rollout has ended, as the train remembers it.
const maxTold = 300

// wantStage tells the train that the stage before has passed, and asks for a stage once nothing
// else keeps the rollout from it: not a person, nor that the fleet was not looked at yet.
func (r *run) wantStage(i int) {
	if r.coupled() && i < len(r.Planned.Stages) {
		free := !r.needsApproval(i) && r.State.Paused == nil && r.State.Preflight != nil
		r.tellTrain(func(p *train.RolloutReport) { p.Passed, p.Wants = i, free && r.Coupling.Standing.Enter <= i })
	}
}

// turn says why the train does not let the rollout into a stage yet; empty if it does, or if there
// is none.
func (r *run) turn(i int) string {
	if !r.coupled() || i >= len(r.Planned.Stages) || r.Coupling.Standing.Enter > i || r.State.Preflight == nil {
		return ""
	}
	return rollout.Turn + cmp.Or(r.Coupling.Standing.Waits, "older rollouts end the look that is under way first")
}

// trainAnswers is how long a train has to answer a rollout that asks for a stage, before that
// watches on.
const trainAnswers = 2 * time.Second

// unanswered says that nothing but the train keeps the rollout from a stage, and that the train has
// not said yet why.
func (r *run) unanswered(i int) bool {
	return r.State.Paused == nil && !r.needsApproval(i) && r.turn(i) != "" && r.Coupling.Standing.Waits == "" && !r.historyFull()
}

// entered tells the train that a stage begins.
func (r *run) entered(i int) {
	if i < len(r.Planned.Stages) {
		r.tellTrain(func(p *train.RolloutReport) { p.Passed, p.Wants = i, false })
	}
}

// yields says that the guard is over since a younger rollout inherits it.
func (r *run) yields() bool { return r.coupled() && r.Coupling.Standing.Leave }

// awaitOlder watches on for as long as an older rollout could still be condemned: this one goes
// back with it.
func (r *run) awaitOlder(j *judging) error {
	if !r.coupled() || !r.Coupling.Standing.Behind || r.yields() {
		return nil
	}
	r.enter(rollout.PhaseGuard, "all stages have passed; older rollouts are still under way, "+
		"and this one goes back with them: sluice train "+r.State.Unit)
	_, err := j.watchUntil(forever, "", untilTime, func() bool { return !r.Coupling.Standing.Behind || r.yields() })
	return err
}

// handedOn says that younger rollouts have taken targets of this one: what it has shown there is
// decided.
func (r *run) handedOn() bool { return r.coupled() && len(r.Coupling.Standing.Taken) > 0 }

// bare says that a younger rollout has taken every target: there is nothing left to look at.
func (r *run) bare() bool {
	return r.coupled() && slices.ContainsFunc(r.Coupling.Standing.Taken, func(t train.Progress) bool { return t.All })
}

// overtaken says that the train has stopped the rollout: others go on in its place, or it contains
// a condemned one.
func (r *run) overtaken() bool {
	return r.Coupling.Standing.SupersededBy != 0 || r.Coupling.Standing.WithdrawnBy != 0
}

// orderedBelow says that an older rollout may go back, or has: an order with a higher fence than
// this one's way back is that one's.
func (r *run) orderedBelow() bool {
	return r.coupled() && (r.Coupling.Standing.Behind || r.Coupling.Standing.WithdrawnBy != 0)
}

// withdrawn says which older rollout was condemned; 0 if none was.
func (r *run) withdrawn() train.Number { return r.Coupling.Standing.WithdrawnBy }

// superseded ends a rollout that a younger one has overtaken. As long as an older one could be
// condemned it stays: what only this one has touched, nobody else would put back.
func (r *run) superseded() error {
	by := r.Coupling.Standing.SupersededBy
	o := rollout.Outcome{Result: rollout.PhaseSuperseded, Touched: r.changed(), Unreached: r.State.Unreached}
	o.Why = fmt.Sprintf("rollout %d goes on in its place", by)
	if o.Touched > 0 && !r.yields() {
		r.enter(rollout.PhaseSuperseded, o.Why+"; it stays until no older rollout can be condemned")
		err := r.await(r.base, func() bool { return r.yields() || r.withdrawn() != 0 || r.State.Aborted != nil || r.historyFull() })
		switch {
		case err != nil:
			return err
		case r.withdrawn() != 0 || r.State.Aborted != nil:
			return r.rollback(errOvertaken)
		case !r.yields():
			return errContinueAsNew
		}
	}
	r.conclude(o, rollout.PhaseSuperseded)
	return nil
}

// errOvertaken is why a superseded rollout goes no further.
var errOvertaken = &failure{why: "a younger rollout goes on in its place"}

// goesBack tells the train that the rollout is condemned: by its checks, or by a person. One that
// is withdrawn with an older one is not, and one that has changed nothing and that nobody has
// aborted says only how it ends.
func (r *run) goesBack() {
	if r.withdrawn() == 0 && (len(r.Touched) > 0 || r.State.Aborted != nil) {
		r.tellTrain(func(p *train.RolloutReport) { p.GoesBack, p.Wants = true, false })
	}
}

// takeBack takes back what an earlier run has left that was ended by hand, and ends.
func (r *run) takeBack() error {
	r.tellTrain(func(p *train.RolloutReport) { p.GoesBack = true })
	err := r.clearEarlier()
	if r.Back != nil {
		return r.Back.finish()
	}
	o := rollout.Outcome{
		Result: rollout.PhaseAborted,
		Why:    "it was ended by hand, and has taken back what it had changed: " + cmp.Or(r.State.TakenOver, "nothing"),
	}
	if err != nil {
		o = rollout.Outcome{Result: rollout.PhaseIncomplete, Why: err.Error(), Touched: 1, NotBack: 1}
		o.NotReverted = []rollout.TargetTrouble{{ID: "every target", Reason: "nobody knows what it runs: " + err.Error()}}
	}
	r.conclude(o, o.Result)
	return nil
}
