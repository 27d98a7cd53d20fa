package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

// world is a fleet in memory with a source of health, in place of the activities. Time is the test
// environment's.
type world struct {
	// mounting guards env, and watching what a watch and its cancellation share.
	mounting, watching sync.Mutex
	t                  testing.TB
	env                *testsuite.TestWorkflowEnvironment
	// signals are those that a rollout takes; they count from the next mount.
	signals []rollout.Signal
	// events are what happens; runs counts runs of the workflow.
	events []event
	runs   int
	// measuring is how long a baseline takes, and telling how long the server takes to begin a
	// notification; they count from the next mount.
	measuring, telling time.Duration
	// shown says that looks show enough to end an adaptive bake.
	shown bool

	mu       sync.Mutex
	fleet    fleet.Fleet
	plan     plan.Plan
	releases map[string]string
	fences   map[string]int64
	applies  []apply
	// health answers what the checks say of a stage at a time since it was applied.
	health func(stage int, since time.Duration) health.Verdict
	// check names the check that answers, errors by default.
	check func(since time.Duration) string
	// broken targets refuse every apply; stuck ones do not come back.
	broken, stuck map[string]bool
	// away targets answer nothing at all; before is what the checks say before the change.
	away   map[string]bool
	before health.Verdict
	// why is what is told of a target that is away.
	why string
	// carried sees what is carried to the next run.
	carried func(*Carried)
	// measured is told that a stage was measured, before anything is applied.
	measured func(activities.BaselineInput)
	// over is by when an incident before the change had ended.
	over time.Time
	// relisted answers how the fleet has changed.
	relisted func(activities.RelistInput) (activities.Relisted, error)
	// silent targets take an order and do not answer it.
	silent map[string]bool
	// prepares says that targets prepare and settle; preparer and settler answer for a batch, nil
	// that all do.
	prepares          bool
	preparer, settler func(activities.PrepareInput) (activities.Prepared, error)
	prepared, settled int // batches
	looked            int // at the fleet, before the change
	// drills answers what a drill does.
	drills func(activities.DrillInput) []activities.Trouble
	// suspects answers what other units run.
	suspects func(activities.SuspectsInput) ([]rollout.Suspect, error)
	// refused is what validating the release answers.
	refused []activities.Trouble
	// recovers is what the checks say after a rollback.
	recovers   health.Verdict
	recovering func(activities.RecoverInput) health.Report // instead
	// watcher is the watch; a test may put another in its place.
	watcher func(context.Context, activities.WatchInput) (activities.StageReport, error)
	// gater is the gate's look.
	gater func(context.Context, activities.GateInput) (activities.StageReport, error)
	// applier and reverter are Apply and Revert; a test may put others in their place.
	applier  func(context.Context, activities.ApplyInput) (activities.Applied, error)
	reverter func(context.Context, activities.RevertInput) (activities.Reverted, error)
	// ailing are the silent and the replaced targets that a look fails for; absent are those that
	// the newest look leaves out.
	ailing func() (silent, replaced []string)
	absent []string
	// inherited is what earlier runs have left behind; runID is the run's own id, and id the
	// workflow's.
	inherited activities.Inherited
	// afterReset is the same, where a run that was reset asks; nil for inherited.
	afterReset *activities.Inherited
	// inheritErr is that nobody knows it.
	inheritErr error
	// cutErr keeps the fleet from being cut.
	cutErr error

	runID, id string
	watches   int
	gates     int
	// cancelled answers what the newest watch has seen when it is cancelled; nil if nothing.
	cancelled func() activities.StageReport
	sweeps    []activities.RevertInput
	surveyed  int  // how many targets were asked what they run after a way back
	unfenced  bool // targets keep no fences
	// reports are what the rollout's train was told.
	reports []train.RolloutReport
	// told is called with each.
	told func(train.RolloutReport)
}

// apply is one order that a target has accepted.
type apply struct {
	id, release string
	fence       int64
	at          time.Time
}

// newWorld is a healthy fleet of n targets on 1.0.0 and an environment to run the rollout in.
func newWorld(t testing.TB, n int) *world {
	w := &world{
		t: t, signals: rollout.Signals(), releases: map[string]string{}, fences: map[string]int64{},
		health: func(int, time.Duration) health.Verdict { return health.Pass }, recovers: health.Pass,
		broken: map[string]bool{}, stuck: map[string]bool{}, away: map[string]bool{}, before: health.Pass, why: "no answer",
	}
	for i := range n {
		id := fmt.Sprintf("t%03d", i)
		w.fleet.Targets = append(w.fleet.Targets, fleet.Target{ID: id, Address: id + ":80"})
		w.releases[id] = "1.0.0"
	}
	w.id, w.runID = connect.WorkflowID("edge"), "default-test-run-id"
	w.watcher, w.gater, w.applier, w.reverter = w.watch, w.gate, w.apply, w.revert
	w.mount(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return w
}

// mount makes an environment in which it is a certain time.
func (w *world) mount(now time.Time) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	w.mounting.Lock()
	w.env = suite.NewTestWorkflowEnvironment()
	w.mounting.Unlock()
	w.env.SetStartTime(now)
	w.env.SetTestTimeout(2 * time.Minute)
	w.env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute, // on a busy machine a second is short
		Interceptors:             []interceptor.WorkerInterceptor{connect.Around(w.answering).Interceptor()},
	})
	w.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: w.id, TaskQueue: connect.TaskQueue})
	if w.runs > 0 {
		w.env.SetContinuedExecutionRunID("the run before")
	}
	register(w.env, w.signals)
	(&activities.Activities{}).Register(w.env)
	w.hears()
	w.env.OnMutableSideEffect("run id").Return(func(string) any { return w.runID }).Maybe()
	any2 := []any{mock.Anything, mock.Anything}
	if w.telling > 0 {
		w.env.OnWorkflow(Notify, any2...).After(w.telling).Return(nil).Maybe()
	}
	on := func(name string, f any) *testsuite.MockCallWrapper {
		return w.env.OnActivity(name, any2...).Return(f).Maybe()
	}
	on(activities.TypePlan, w.cut)
	on(activities.TypeValidate, func(context.Context, activities.ApplyInput) ([]activities.Trouble, error) { return w.refused, nil })
	on(activities.TypePrepare, w.ready(&w.prepared, &w.preparer))
	on(activities.TypeSettle, w.ready(&w.settled, &w.settler))
	on(activities.TypeDrill, func(_ context.Context, in activities.DrillInput) ([]activities.Trouble, error) {
		return w.drills(in), nil
	})
	on(activities.TypeSuspects, func(_ context.Context, in activities.SuspectsInput) ([]rollout.Suspect, error) { return w.suspects(in) })
	on(activities.TypePreflight, func(context.Context, activities.PreflightInput) (health.Report, error) {
		w.looked++
		r := w.report(w.before)
		r.Over = w.over
		return r, nil
	})
	on(activities.TypeRelist, func(_ context.Context, in activities.RelistInput) (activities.Relisted, error) { return w.relisted(in) })
	on(activities.TypeInherit, func(_ context.Context, in activities.InheritInput) (activities.Inherited, error) {
		if in.Reset && w.afterReset != nil {
			return *w.afterReset, nil
		}
		return w.inherited, w.inheritErr
	})
	on(activities.TypeSurvey, w.survey)
	on(activities.TypeFindStragglers, w.findLate)
	on(activities.TypeBaseline, func(_ context.Context, in activities.BaselineInput) (health.Baseline, error) {
		if w.measured != nil {
			w.measured(in)
		}
		return health.Baseline{}, nil
	}).After(w.measuring)
	on(activities.TypeObserve, w.observe)
	on(activities.TypeApply, replaceable(&w.applier))
	on(activities.TypeRevert, replaceable(&w.reverter))
	on(activities.TypeWatch, replaceable(&w.watcher))
	on(activities.TypeGate, replaceable(&w.gater))
	on(activities.TypeRecover, func(_ context.Context, in activities.RecoverInput) (activities.StageReport, error) {
		if w.recovering != nil {
			return activities.StageReport{Report: w.recovering(in)}, nil
		}
		return activities.StageReport{Report: w.report(w.recovers)}, nil
	})
}

// replaceable is an activity in whose place a test may still put another.
func replaceable[I, O any](f *func(context.Context, I) (O, error)) func(context.Context, I) (O, error) {
	return func(ctx context.Context, in I) (O, error) { return (*f)(ctx, in) }
}

func (w *world) cut(_ context.Context, in activities.PlanInput) (activities.Planned, error) {
	if w.cutErr != nil {
		return activities.Planned{}, w.cutErr
	}
	p, err := plan.New(in.Spec, w.fleet, spec.Kinds{})
	if err != nil {
		return activities.Planned{}, err
	}
	w.plan = p
	return activities.Planned{Digest: "sha256:plan", Targets: len(w.fleet.Targets), Stages: p.Stages, Prepares: w.prepares, Settles: w.prepares}, nil
}

// ready answers for every target of a batch, or as a test says, and counts.
func (w *world) ready(count *int, answer *func(activities.PrepareInput) (activities.Prepared, error)) any {
	return func(_ context.Context, in activities.PrepareInput) (activities.Prepared, error) {
		w.mu.Lock()
		*count++
		w.mu.Unlock()
		if *answer != nil {
			return (*answer)(in)
		}
		return activities.Prepared{Ready: in.To - in.From}, nil
	}
}

func (w *world) observe(_ context.Context, in activities.ObserveInput) (activities.Observed, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := activities.Observed{Previous: activities.Previous{Common: "1.0.0", Others: map[string][]string{}}}
	for _, t := range w.targets(in.Batch) {
		r := w.releases[t.ID]
		if w.away[t.ID] {
			out.Previous.Absent = append(out.Previous.Absent, t.ID)
			out.Trouble = append(out.Trouble, activities.Trouble{ID: t.ID, Reason: w.why, Silent: true})
			continue
		}
		if r != out.Previous.Common {
			out.Previous.Others[r] = append(out.Previous.Others[r], t.ID)
		}
		if r == w.plan.Spec.Release {
			out.Already++
		}
	}
	return out, nil
}

func (w *world) survey(_ context.Context, in activities.SurveyInput) (activities.Surveyed, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := activities.Surveyed{Others: map[string]int{}}
	w.surveyed += in.To - in.From
	for _, t := range w.targets(in.Batch) {
		switch r := w.releases[t.ID]; {
		case w.away[t.ID]:
			out.Silent = append(out.Silent, activities.Trouble{ID: t.ID, Reason: w.why, Silent: true})
		case r != w.plan.Spec.Release:
			out.Others[r]++
		default:
			out.On = append(out.On, t.ID)
			if w.fences[t.ID] == in.Fence {
				out.Own++
			}
		}
	}
	return out, nil
}

func (w *world) targets(b activities.Batch) []fleet.Target {
	if b.Stragglers != nil {
		return b.Stragglers[b.From:b.To]
	}
	return w.plan.Order[b.From:b.To]
}

func (w *world) findLate(_ context.Context, in activities.StragglersInput) (activities.Stragglers, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out activities.Stragglers
	asked, absent, joined := map[string]bool{}, fleet.Set(in.Absent), fleet.Set(fleet.IDs(in.Joined))
	for _, t := range slices.Concat(in.Joined, w.plan.Order) {
		switch {
		case asked[t.ID], !absent[t.ID] && !joined[t.ID]:
			continue
		case w.away[t.ID]:
			out.Still = append(out.Still, activities.Trouble{ID: t.ID, Reason: w.why, Silent: true})
		default:
			out.Ready = append(out.Ready, t)
		}
		asked[t.ID] = true
	}
	for _, id := range in.Absent {
		if !asked[id] {
			out.Still = append(out.Still, activities.Trouble{ID: id, Reason: "in no plan", Silent: true})
		}
	}
	return out, nil
}

func (w *world) apply(ctx context.Context, in activities.ApplyInput) (activities.Applied, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out activities.Applied
	quiet := 0
	for _, t := range w.targets(in.Batch) {
		if slices.Contains(in.Previous.Others[w.plan.Spec.Release], t.ID) || slices.Contains(in.Previous.Absent, t.ID) ||
			slices.Contains(in.Out, t.ID) {
			continue
		}
		if w.away[t.ID] {
			out.Trouble = append(out.Trouble, activities.Trouble{ID: t.ID, Reason: w.why, Silent: true})
			if quiet++; quiet > in.Tolerate {
				return out, nil
			}
			continue
		}
		if w.broken[t.ID] {
			out.Trouble = append(out.Trouble, activities.Trouble{ID: t.ID, Reason: "refused by target", Refused: true})
			return out, nil
		}
		w.put(t.ID, w.plan.Spec.Release, in.Fence)
		if w.silent[t.ID] {
			out.Trouble = append(out.Trouble, activities.Trouble{ID: t.ID, Reason: "no answer", Silent: true})
			continue
		}
		out.Changed++
	}
	return out, ctx.Err()
}

func (w *world) put(id, release string, fence int64) {
	if fence < w.fences[id] {
		w.t.Errorf("target %s got fence %d after %d", id, fence, w.fences[id])
	}
	w.fences[id], w.releases[id] = fence, release
	w.applies = append(w.applies, apply{id: id, release: release, fence: fence, at: w.env.Now()})
}

func (w *world) revert(_ context.Context, in activities.RevertInput) (activities.Reverted, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out activities.Reverted
	w.sweeps = append(w.sweeps, in)
	for _, t := range w.targets(in.Batch) {
		back := in.Previous.Common
		for release, ids := range in.Previous.Others {
			if slices.Contains(ids, t.ID) {
				back = release
			}
		}
		switch {
		case back == w.plan.Spec.Release, in.Only != nil && !slices.Contains(in.Only, t.ID), slices.Contains(in.Previous.Absent, t.ID):
		case w.stuck[t.ID], w.away[t.ID]:
			out.Trouble = append(out.Trouble, activities.Trouble{ID: t.ID, Reason: "not reached"})
		default:
			w.put(t.ID, back, in.Fence)
			out.Reverted++
			out.To = rollout.CountBack(out.To, back, 1)
			if !w.unfenced {
				out.Fenced++
			}
		}
	}
	return out, nil
}

// whenCancelled says what a watch that is cancelled answers; nil is that it says nothing.
func (w *world) whenCancelled(seen func() activities.StageReport) {
	w.watching.Lock()
	defer w.watching.Unlock()
	w.cancelled = seen
}

// mounted is the environment that runs now: a watch of the one before may still ask.
func (w *world) mounted() *testsuite.TestWorkflowEnvironment {
	w.mounting.Lock()
	defer w.mounting.Unlock()
	return w.env
}

// watch answers when the first look would: at harm, when the look ends the watch, or at the end.
func (w *world) watch(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
	w.mu.Lock()
	w.watches++
	w.absent = in.Absent
	w.mu.Unlock()
	w.watching.Lock()
	defer w.watching.Unlock()
	const look = time.Second
	env := w.mounted()
	began := env.Now()
	at, seen := began, activities.StageReport{Watched: in.Watched}
	next := func() health.Verdict {
		at = at.Add(look)
		v := w.health(in.Stage, at.Sub(in.Since))
		r := w.look(v, at.Sub(in.Since)).MidBake(false)
		r.At = at
		seen = activities.StageReport{Report: r, Watched: seen.Watched.Look(at, r.Saw(), lookPace)}
		return v
	}
	w.cancelled = func() activities.StageReport {
		at, seen = began, activities.StageReport{Watched: in.Watched}
		for at.Add(look).Before(env.Now()) {
			next()
		}
		return seen
	}
	for {
		if v := next(); v == health.Fail || in.Ends(seen) || !at.Before(in.Until) {
			seen := seen
			token := activity.GetInfo(ctx).TaskToken
			env.RegisterDelayedCallback(func() {
				_ = env.CompleteActivity(token, seen, nil) // may have been cancelled
			}, at.Sub(env.Now()))
			return activities.StageReport{}, activity.ErrResultPending
		}
	}
}

func (w *world) gate(_ context.Context, in activities.GateInput) (activities.StageReport, error) {
	w.mu.Lock()
	w.gates++
	w.absent = in.Absent
	w.mu.Unlock()
	since := in.At.Sub(in.Since)
	r := w.look(w.health(in.Stage, since), since)
	return activities.StageReport{Report: r, Watched: in.Watched.Look(in.At, r.Saw(), lookPace)}, nil
}

// lookPace is that of the world's looks.
var lookPace = health.Pace{Every: time.Second, Blind: time.Minute}

// look is a report of a stage that was applied a while ago.
func (w *world) look(v health.Verdict, since time.Duration) health.Report {
	r := w.report(v)
	if w.check != nil {
		r.Results[0].Check = w.check(since)
	}
	if w.ailing != nil && v == health.Fail {
		r.Results[0].Silent, r.Results[0].Replaced = w.ailing()
	}
	return r
}

func (w *world) report(v health.Verdict) health.Report {
	return health.Report{At: w.mounted().Now(), Results: []health.Result{{
		Check: "errors", Verdict: v, Sentence: "errors: as the test says", Shown: w.shown,
	}}}
}

// run executes a rollout to its end, over as many runs of the workflow as it takes. One that is
// locked in the end is given up.
func (w *world) run(s spec.Spec) rollout.State { return w.submit(Submission{Spec: s, By: "test"}) }

func (w *world) submit(sub Submission) rollout.State {
	w.t.Helper()
	w.at(1000*time.Hour, rollout.SignalGiveUp, rollout.ControlRequest{By: "the test", Why: "it ends here"})
	start := w.env.Now()
	for w.runs = 1; ; w.runs++ {
		for _, e := range w.events {
			if left := e.at - w.env.Now().Sub(start); left > 0 || w.runs == 1 {
				w.env.RegisterDelayedCallback(e.do, left)
			}
		}
		w.env.ExecuteWorkflow(connect.WorkflowType, sub)
		err := w.env.GetWorkflowError()
		next, renewed := errors.AsType[*workflow.ContinueAsNewError](err)
		if !renewed {
			return w.ended(err)
		}
		if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &sub); err != nil {
			w.t.Fatal(err)
		}
		if w.carried != nil {
			w.carried(sub.Carried)
		}
		w.mount(w.env.Now())
	}
}

func (w *world) ended(err error) rollout.State {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	var out rollout.State
	if err := w.env.GetWorkflowResult(&out); err != nil {
		w.t.Fatal(err)
	}
	if out.Outcome == nil {
		w.t.Fatal(errors.New("a rollout ended without an outcome"))
	}
	return out
}

// event is something that happens at a time after the start.
type event struct {
	at time.Duration
	do func()
}

// at sends a signal at a time after the start.
func (w *world) at(d time.Duration, signal string, payload any) {
	w.do(d, func() { w.env.SignalWorkflow(signal, payload) })
}

// do does something at a time after the start.
func (w *world) do(d time.Duration, f func()) { w.events = append(w.events, event{d, f}) }

// says has the checks say a verdict where a test says so, and pass elsewhere.
func (w *world) says(v health.Verdict, where func(stage int, since time.Duration) bool) {
	w.health = func(stage int, since time.Duration) health.Verdict {
		if where(stage, since) {
			return v
		}
		return health.Pass
	}
}

// fails has the checks fail where a test says so.
func (w *world) fails(where func(stage int, since time.Duration) bool) { w.says(health.Fail, where) }

// state asks the rollout.
func (w *world) state() (s rollout.State) {
	w.t.Helper()
	v, err := w.env.QueryWorkflow(rollout.QueryStatus)
	if err == nil {
		err = v.Get(&s)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// on counts the targets that run a release.
func (w *world) on(release string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.releases {
		if r == release {
			n++
		}
	}
	return n
}

// fourStages is a spec over four stages that bake a minute each.
func fourStages() spec.Spec {
	count := 1
	minute := spec.Duration(time.Minute)
	stage := func(name string, percent float64) spec.Stage {
		return spec.Stage{Name: name, Reach: &spec.Reach{Percent: percent}, Bake: minute, DecideWithin: minute}
	}
	return spec.Spec{
		Unit: "edge", Release: "2.0.0", Driver: spec.Driver{Choice: spec.Choose("http", driver.HTTP{})},
		Apply:    spec.Apply{Batch: 10, Parallel: 50, Attempts: 3},
		Rollback: spec.Rollback{Deadline: 10 * minute, Parallel: 200, Recover: minute},
		Health:   spec.Health{Every: spec.Duration(time.Second), StaleAfter: minute},
		Stages: []spec.Stage{
			{Name: "canary", Count: &count, Bake: minute, DecideWithin: minute},
			stage("early", 20), stage("half", 50), stage("everyone", 100),
		},
	}
}

// signalNames are the names of all signals.
func signalNames() []string {
	var out []string
	for _, s := range rollout.Signals() {
		out = append(out, s.Name)
	}
	return out
}

// quiet drops the test environment's log.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// answering has a cancelled watch answer what it has seen, as a real one does. The test environment
// knows only watches that answer nothing.
type answering struct {
	interceptor.WorkflowOutboundInterceptorBase
	world *world
}

func (w *world) answering(_ workflow.Context, next interceptor.WorkflowOutboundInterceptor) interceptor.WorkflowOutboundInterceptor {
	return &answering{interceptor.WorkflowOutboundInterceptorBase{Next: next}, w}
}

func (a *answering) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	return answered{Future: a.Next.ExecuteActivity(ctx, name, args...), world: a.world, watch: name == activities.TypeWatch}
}

// answered is the answer to come of an activity.
type answered struct {
	workflow.Future
	world *world
	watch bool
}

func (a answered) Get(ctx workflow.Context, out any) error {
	err := a.Future.Get(ctx, out)
	if !a.watch || !temporal.IsCanceledError(err) {
		return err
	}
	a.world.watching.Lock()
	defer a.world.watching.Unlock()
	if a.world.cancelled == nil {
		return err
	}
	*out.(*activities.StageReport) = a.world.cancelled()
	return nil
}
