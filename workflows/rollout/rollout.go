// Package rollout holds the durable logic of a rollout: it reads like the life of a rollout in
// docs/rollout.md, and has no effect of its own.
package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

// Submission is what the CLI sends to start a rollout.
type Submission struct {
	// Spec is complete: defaults are filled in.
	Spec spec.Spec `json:"spec"`
	// FleetDigest names the fleet's snapshot; FleetData is the snapshot itself, gzipped canonical
	// JSON, unless it was too large to send and lies in the store that the workers share.
	FleetDigest string `json:"fleetDigest"`
	FleetData   []byte `json:"fleetData,omitempty"`
	// By is who started the rollout.
	By string `json:"by"`
	// Override says why the rollout may start on a fleet that is not healthy; nil when it may not.
	Override *rollout.ControlRequest `json:"override,omitempty"`
	// Passed is by how much the bundle differs from what the fleet runs, where that is more than
	// the spec allows and Override has let it pass.
	Passed string `json:"passed,omitempty"`
	// Earlier are when other rollouts of the unit ran, lately and as far as is known: what targets
	// showed then is not how they usually are.
	Earlier []source.EarlierRun `json:"earlier,omitempty"`
	// Undo makes this the undoing of an earlier run; nil for a rollout.
	Undo *Undo `json:"undo,omitempty"`
	// Train is the rollout's place in the train of its unit; nil for one that has the unit for
	// itself.
	Train *Place `json:"train,omitempty"`
	// Carried is set by a rollout that continues as new, and by nobody else.
	Carried *Carried `json:"carried,omitempty"`
}

// registry is a worker, or a test environment.
type registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register gives a worker the workflows of this package, by their names on the wire.
func Register(w registry) { register(w, rollout.Signals()) }

// register does so for a rollout that takes the given signals.
func register(w registry, signals []rollout.Signal) {
	steered := func(ctx workflow.Context, sub Submission) (rollout.State, error) { return execute(ctx, sub, signals) }
	w.RegisterWorkflowWithOptions(steered, workflow.RegisterOptions{Name: connect.WorkflowType})
	w.RegisterWorkflowWithOptions(Notify, workflow.RegisterOptions{Name: connect.NotifyType})
}

// execute takes a release across a fleet stage by stage. It ends without an error however the
// rollout ended: the result says how. Register gives it the signals.
func execute(ctx workflow.Context, sub Submission, signals []rollout.Signal) (rollout.State, error) {
	r, err := setup(ctx, sub, signals)
	if err != nil {
		return rollout.State{}, err
	}
	err = r.run()
	if !errors.Is(err, errContinueAsNew) {
		r.leaveTrain()
	}
	r.awaitTrain()
	r.awaitNotifications()
	if errors.Is(err, errContinueAsNew) {
		return rollout.State{}, r.continueAsNew(ctx)
	}
	return rollout.TrimToPayload(r.State), nil
}

// run is one run of the workflow.
type run struct {
	// ctx ends when the rollout is aborted; base never does, so that the way back is not cancelled
	// by what made it necessary.
	ctx, base     workflow.Context
	cancelForward workflow.CancelFunc
	sub           Submission
	// inboxes are the signals that the run takes, in the order in which it applies those that have
	// arrived together.
	inboxes []inbox
	// spec is the submission's, with a stage for every sweep.
	spec spec.Spec
	Carried
	// starting is how many notifications the server has not taken yet.
	starting int
	// cancelled says that a cancellation of the workflow was received.
	cancelled bool
	// newest is the judging of the newest stage that has passed in this run, for the guard, and
	// guarded says how that has ended.
	newest  *judging
	guarded string
	// tooMuch is set once the rollout knows more than it can carry into a new run.
	tooMuch bool
	// shown is what the search attributes say.
	shown attributes
	// since020 says that the run began under v0.2.0 or later (version.go).
	since020 bool
	// standings are what the train tells.
	standings workflow.ReceiveChannel
	// looking says that a look is under way. It counts all targets but lookingWithout.
	looking        bool
	lookingWithout []train.Progress
	// reporting is how many reports the train has not taken yet.
	reporting int
	// reset says that the server has reset the run, and refusal why it must not change anything
	// (lineage.go).
	reset   bool
	refusal string
}

// exposure is a batch that must be taken back when the rollout fails.
type exposure = activities.Touched

// setup readies the state, the query and the signals.
func setup(ctx workflow.Context, sub Submission, signals []rollout.Signal) (*run, error) {
	base, _ := workflow.NewDisconnectedContext(ctx)
	r := &run{base: base, sub: sub, spec: sub.Spec, since020: began020(ctx)}
	r.ctx, r.cancelForward = workflow.WithCancel(ctx)
	if sub.Undo != nil { // nothing cancels a way back
		r.ctx = base
	}
	info := workflow.GetInfo(ctx)
	r.State = rollout.State{
		Unit: sub.Spec.Unit, Release: sub.Spec.Release, Version: sub.Spec.Version, By: sub.By,
		Fence: rollout.Fence(info.WorkflowStartTime), StartedAt: info.WorkflowStartTime,
		Phase: rollout.PhasePlanning, Why: "cutting the fleet into cohorts",
		Since: info.WorkflowStartTime, Every: sub.Spec.Health.Every,
	}
	if o := sub.Override; o != nil && sub.Passed != "" {
		r.State.Controls = []rollout.Control{{
			Signal: "start", By: rollout.PlainText(o.By),
			Why: rollout.PlainText(o.Why + " (let pass: " + sub.Passed + ")"), At: r.State.StartedAt, Override: true,
		}}
	}
	if sub.Undo != nil { // it goes back from the first moment: nothing aborts or pauses it
		r.State.Phase, r.State.Why = rollout.PhaseRollback, "reading what is to be undone"
	}
	if r.refusal = r.misplaced(); sub.Carried != nil && r.refusal == "" {
		r.restore(*sub.Carried)
	}
	r.couple(base)
	r.Roster.state, r.State.Lenient = &r.State, !r.since020
	status := func() (rollout.State, error) { return rollout.TrimToPayload(r.State), nil }
	about := workflow.QueryHandlerOptions{
		Description: "the rollout as it is now: phase, stages, gates with their evidence, signals, targets that are not back",
	}
	if err := workflow.SetQueryHandlerWithOptions(ctx, rollout.QueryStatus, status, about); err != nil {
		return nil, fmt.Errorf("answer status queries: %w", err)
	}
	r.openInboxes(base, signals)
	workflow.Go(base, r.listen)
	workflow.Go(base, r.keepDeadlines)
	r.noticeReset(base)
	return r, nil
}

// backFence is the fence of the way back: a late apply must not overwrite it.
func (r *run) backFence() int64 {
	if r.coupled() {
		return r.Coupling.Standing.Back
	}
	return r.State.Fence + 1
}

// run walks the stages and, when one does not pass, goes back. Its only error is errContinueAsNew.
func (r *run) run() error {
	if r.refusal != "" {
		r.conclude(rollout.Outcome{Result: rollout.PhaseRefused, Why: r.refusal, Reason: rollout.RefusedWorkflow}, rollout.PhaseRefused)
		return nil
	}
	if r.Back != nil {
		return r.Back.finish()
	}
	if r.sub.Undo != nil {
		return r.undo()
	}
	if r.coupled() && r.sub.Train.TakeBack {
		return r.takeBack()
	}
	err := r.forward()
	switch {
	case r.reset:
		return r.takeOver()
	case r.Back != nil: // what earlier runs have left is not back
		return r.Back.finish()
	case r.State.Aborted == nil && errors.Is(err, errContinueAsNew):
		return err
	case r.State.Aborted == nil && err == nil:
		o := r.promoted()
		r.tellGood(&o)
		r.conclude(o, rollout.PhasePromoted)
	case r.Coupling.Standing.SupersededBy != 0 && r.State.Aborted == nil && r.withdrawn() == 0 && r.ctx.Err() != nil:
		return r.superseded()
	default:
		return r.rollback(err)
	}
	return nil
}

// promoted words the outcome of a rollout whose every stage has passed.
func (r *run) promoted() rollout.Outcome {
	o := rollout.Outcome{Result: rollout.PhasePromoted, Touched: r.changed(), Unreached: r.State.Unreached}
	runs, run, since := "runs", "run", ""
	if r.coupled() { // younger releases may come at any time
		runs, run = "has taken", "have taken"
	}
	if r.handedOn() {
		since = "; younger releases have taken targets since"
	}
	o.Why = fmt.Sprintf("all %d targets %s %s", r.State.Targets, run, r.State.Release)
	if r.State.Targets == 1 {
		o.Why = "the target " + runs + " " + r.State.Release
	}
	if n := len(o.Unreached); n > 0 {
		o.Why = fmt.Sprintf("%d of %d targets %s %s, %d left out", r.State.Targets-n, r.State.Targets, run, r.State.Release, n)
	}
	o.Why += since + r.guarded
	return o
}

// forward promotes stage after stage. Its error says why it stopped.
func (r *run) forward() error {
	if r.overtaken() { // in an earlier run
		return r.ctx.Err()
	}
	if r.State.Preflight == nil {
		if err := r.begin(); err != nil {
			return err
		}
	}
	if r.coupled() && r.State.Stages[0].StartedAt.IsZero() { // who is refused before has superseded nobody
		if err := r.approval(0); err != nil {
			return err
		}
	}
	if r.guarding() {
		return r.guard()
	}
	for i := r.State.Stage; ; i++ {
		if i == len(r.State.Stages) {
			if more, err := r.gather(); err != nil {
				return err
			} else if !more {
				return r.guard()
			}
		}
		if err := r.stage(i); err != nil {
			return err
		}
	}
}

// begin does what comes before the first stage.
func (r *run) begin() error {
	for _, step := range []func() error{r.clearEarlier, r.plan, r.validate, r.prepare, func() error { return r.approval(0) }, r.preflight} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// plan pins the fleet's snapshot and cuts it, once.
func (r *run) plan() error {
	if r.Planned.Digest != "" {
		return nil
	}
	if r.sub.Undo != nil { // a person may give up before it has begun
		return r.planWith(r.ctx, (&wayBack{run: r}).do)
	}
	return r.planWith(r.ctx, r.do)
}

// planWith has an activity done by do.
func (r *run) planWith(ctx workflow.Context, do func(workflow.Context, workflow.ActivityOptions, string, any, any) error) error {
	in := activities.PlanInput{Spec: r.sub.Spec, FleetDigest: r.sub.FleetDigest, FleetData: r.sub.FleetData}
	err := do(ctx, options("cut the fleet into cohorts", 5*time.Minute), activities.TypePlan, in, &r.Planned)
	if err != nil {
		return err
	}
	r.Planned.FleetData = nil // the history has it
	r.State.Plan, r.State.Targets = r.Planned.Digest, r.Planned.Targets
	r.tellTrain(func(p *train.RolloutReport) { p.Plan, p.Stages = r.Planned.Digest, len(r.Planned.Stages) })
	for i, s := range r.spec.Stages {
		r.State.Stages = append(r.State.Stages, rollout.StageState{
			Name: s.Name, Cohort: r.Planned.Stages[i].Size(), Reach: r.Planned.Stages[i].To,
			Bake: s.Bake, Approval: s.Approval, Undecided: waits(s),
		})
	}
	return nil
}

// waits is the stage's undecided where that is to wait for a person.
func waits(s spec.Stage) string {
	if s.Undecided == spec.UndecidedWait {
		return s.Undecided
	}
	return ""
}

// changed is how many targets the rollout changed, or may have.
func (r *run) changed() int {
	n := 0
	for _, t := range r.Touched {
		n += t.Count
	}
	return n
}

// conclude records an outcome where everybody looks for it. Phase p is its result, or locked: a
// locked unit may show another outcome later.
func (r *run) conclude(o rollout.Outcome, p rollout.Phase) {
	o.EndedAt = workflow.Now(r.base)
	if o.Result != rollout.PhasePromoted && r.State.Begun() {
		o.Stage = cmp.Or(o.Stage, r.State.StageName())
	}
	r.State.Outcome, r.State.NotReverted, r.State.NotBack = &o, nil, 0
	r.enter(p, o.Why)
}
