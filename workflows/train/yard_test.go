package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	words "github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/train"
	"github.com/sluicehq/sluice/workflows/rollout"
)

// yard is a fleet in memory, the train of a unit and its rollouts in one test environment, with
// skipped time. The activities are the real ones, but for those that ask for health or for
// Temporal.
type yard struct {
	t     *testing.T
	env   *testsuite.TestWorkflowEnvironment
	fleet fleet.Fleet
	store store.Store
	hosts *hosts
	// gone are rollouts that do not run any more, as Temporal says; none of them is started once
	// more.
	gone []activities.EndedRollout
	// stages are those of the specs to come.
	stages string
	// bad says whether a release is seen to do harm, a while after a stage was applied.
	bad func(release string, stage int, since time.Duration) bool

	// comparison is what comes of comparing plans, again how long it takes to start a rollout once
	// more, which fails afterwards, and refused why none is started.
	comparison func(train.Comparison, error) (train.Comparison, error)
	again      func(activities.StartRolloutInput) time.Duration
	refused    string
	// ill are the releases that find the fleet ill before they change anything.
	ill map[string]bool
	// edit changes what is submitted.
	edit func(*spec.Spec)

	mu    sync.Mutex
	ended map[int64]words.State
	plans map[string]plan.Plan
	// starting are the tokens of StartRollout, by number.
	starting map[int64][]byte
	// ahead are the bounds of the controls of stages, by plan and stage.
	ahead map[string]*train.Progress
	// takes are the reaches that watches were told of, by release.
	taken map[string]int
	// compared is how often plans were compared.
	compared int
}

// hosts are the targets, with a fence each.
type hosts struct {
	mu     sync.Mutex
	now    map[string]driver.State
	silent map[string]bool
	writes []write
}

// write is an order that a host has taken.
type write struct {
	id, release string
	back        bool
	at          time.Time
}

// host is the driver of hosts.
type host struct {
	hosts *hosts
	now   func() time.Time
}

func (*host) Check(spec.Section)                       {}
func (*host) SetDefaults()                             {}
func (h *host) Driver(http.RoundTripper) driver.Driver { return h }

func (h *host) Observe(_ context.Context, t fleet.Target, _ string) (driver.State, error) {
	h.hosts.mu.Lock()
	defer h.hosts.mu.Unlock()
	if h.hosts.silent[t.ID] {
		return driver.State{}, fmt.Errorf("no answer")
	}
	return h.hosts.now[t.ID], nil
}

func (*host) Validate(context.Context, fleet.Target, driver.Order) error { return nil }

func (h *host) Apply(_ context.Context, t fleet.Target, o driver.Order) error {
	h.hosts.mu.Lock()
	defer h.hosts.mu.Unlock()
	s := h.hosts.now[t.ID]
	switch {
	case h.hosts.silent[t.ID]:
		return fmt.Errorf("no answer")
	case o.Fence < s.Fence:
		return driver.ErrFenced
	}
	h.hosts.now[t.ID] = driver.State{Release: o.Release, Fence: o.Fence, Alive: true}
	h.hosts.writes = append(h.hosts.writes, write{id: t.ID, release: o.Release, back: o.Back, at: h.now()})
	return nil
}

// on counts hosts by release.
func (y *yard) on() map[string]int {
	y.hosts.mu.Lock()
	defer y.hosts.mu.Unlock()
	out := map[string]int{}
	for _, s := range y.hosts.now {
		out[s.Release]++
	}
	return out
}

const text = `unit: edge
release: "%s"
fleet: fleet.yaml
driver: {host: {}}
stages:
%s
%s
health:
  without: [traffic]
  every: 10s
  checks: [{name: up, probe: {tcp: "{{address}}"}}]
`

const fourStages = `  - {name: canary, count: 2, bake: 10m}
  - {name: early, reach: 25%, bake: 20m}
  - {name: half, reach: 50%, bake: 40m}
  - {name: all, reach: 100%, bake: 60m}`

// newYard is a healthy fleet on release 1.
func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{
		t: t, stages: fourStages, ended: map[int64]words.State{}, plans: map[string]plan.Plan{},
		starting: map[int64][]byte{}, taken: map[string]int{}, ahead: map[string]*train.Progress{},
		bad:   func(string, int, time.Duration) bool { return false },
		hosts: &hosts{now: map[string]driver.State{}, silent: map[string]bool{}},
	}
	for i := range 60 {
		id := fmt.Sprintf("t%02d", i)
		y.fleet.Targets = append(y.fleet.Targets, fleet.Target{ID: id, Address: id + ":80"})
		y.hosts.now[id] = driver.State{Release: "1", Alive: true}
	}
	var err error
	y.store, err = store.Dir(t.TempDir())
	require.NoError(t, err)
	y.mount()
	return y
}

func (y *yard) catalog() catalog.Catalog {
	c := catalog.New()
	c.Drivers = append(c.Drivers, spec.Kind[driver.Settings]{Name: "host", New: func() driver.Settings {
		return &host{hosts: y.hosts, now: func() time.Time { return y.env.Now() }}
	}})
	return c
}

func (y *yard) mount() {
	var suite testsuite.WorkflowTestSuite
	y.env = suite.NewTestWorkflowEnvironment()
	y.env.SetStartTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	y.env.SetTestTimeout(5 * time.Minute)
	y.env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute,
		Interceptors:             []interceptor.WorkerInterceptor{connect.Around(y.answering).Interceptor()},
	})
	y.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "yard", TaskQueue: connect.TaskQueue})
	y.env.RegisterWorkflowWithOptions(y.run, workflow.RegisterOptions{Name: "yard"})
	rollout.Register(y.env)
	Register(y.env)
	acts := activities.New(y.store, activities.NewMetrics(prometheus.NewRegistry()), dial.Guard{}, y.catalog())
	acts.Register(y.env)
	any2 := []any{mock.Anything, mock.Anything}
	on := func(name string, f any) { y.env.OnActivity(name, any2...).Return(f).Maybe() }
	on(activities.TypeInherit, func(context.Context, activities.InheritInput) (activities.Inherited, error) {
		return activities.Inherited{}, nil
	})
	on(activities.TypePreflight, func(_ context.Context, in activities.PreflightInput) (health.Report, error) {
		if y.ill[y.plan(in.Plan).Spec.Release] {
			return y.report(health.Fail, y.env.Now()), nil
		}
		return y.report(health.Pass, y.env.Now()), nil
	})
	on(activities.TypeCompare, func(ctx context.Context, in activities.CompareInput) (train.Comparison, error) {
		c, err := acts.Compare(ctx, in)
		if y.comparison != nil {
			return y.comparison(c, err)
		}
		return c, err
	})
	on(activities.TypeBaseline, func(context.Context, activities.BaselineInput) (health.Baseline, error) {
		return health.Baseline{}, nil
	})
	on(activities.TypeRecover, func(context.Context, activities.RecoverInput) (activities.StageReport, error) {
		return activities.StageReport{Report: y.report(health.Pass, y.env.Now())}, nil
	})
	y.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(errors.New("not there")).Maybe()
	on(activities.TypeWatch, y.watch)
	on(activities.TypeGate, func(_ context.Context, in activities.GateInput) (activities.StageReport, error) {
		y.checkArms(in.HealthInput)
		r := y.report(y.verdict(in.HealthInput, in.At), in.At)
		return activities.StageReport{Report: r, Watched: in.Watched.Look(in.At, r.Saw(), pace)}, nil
	})
	on(activities.TypeLookAfter, func(context.Context, activities.LookAfterInput) ([]activities.EndedRollout, error) {
		return y.gone, nil
	})
	on(activities.TypeStartRollout, func(ctx context.Context, in activities.StartRolloutInput) error {
		if in.Again != nil && y.again != nil {
			token := activity.GetInfo(ctx).TaskToken
			y.env.RegisterDelayedCallback(func() { y.complete(token, nil, connect.Deployment("").TrainID("edge")) }, y.again(in))
			return activity.ErrResultPending
		}
		if y.refused != "" {
			return temporal.NewNonRetryableApplicationError(y.refused, activities.ErrTypeInvalid, nil)
		}
		if in.Again != nil {
			return temporal.NewNonRetryableApplicationError("no such workflow", activities.ErrTypeInvalid, nil)
		}
		y.mu.Lock()
		y.starting[in.Number] = activity.GetInfo(ctx).TaskToken
		y.mu.Unlock()
		y.env.RegisterDelayedCallback(func() { y.env.SignalWorkflow("start", in) }, 0)
		return activity.ErrResultPending
	})
}

// run is the workflow that stands for Temporal: it starts the train and, when that asks for it,
// rollouts. It never replays.
//
//workflowcheck:ignore
func (y *yard) run(ctx workflow.Context) error {
	options := workflow.ChildWorkflowOptions{WorkflowID: connect.Deployment("").TrainID("edge")}
	f := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), connect.TrainType, State{Unit: "edge"})
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := f.Get(ctx, nil); err != nil {
			trace := ""
			if p, ok := errors.AsType[*temporal.PanicError](err); ok {
				trace = p.StackTrace()
			}
			y.t.Errorf("the train: %v %s", err, trace)
		}
	})
	begin, stop := workflow.GetSignalChannel(ctx, "start"), workflow.GetSignalChannel(ctx, "stop")
	for going := true; going; {
		workflow.NewSelector(ctx).AddReceive(stop, func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(ctx, nil)
			going = false
		}).AddReceive(begin, func(c workflow.ReceiveChannel, _ bool) {
			var in activities.StartRolloutInput
			c.Receive(ctx, &in)
			options := workflow.ChildWorkflowOptions{WorkflowID: connect.Deployment("").RolloutID("edge", in.Number)}
			f := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), connect.WorkflowType, in.Submission)
			workflow.Go(ctx, func(ctx workflow.Context) {
				_ = f.GetChildWorkflowExecution().Get(ctx, nil)
				y.env.RegisterDelayedCallback(func() { y.started(in.Number) }, 0)
				var s words.State
				if err := f.Get(ctx, &s); err != nil {
					y.t.Errorf("rollout %d: %v", in.Number, err)
				}
				y.mu.Lock()
				defer y.mu.Unlock()
				y.ended[in.Number] = s
			})
		}).Select(ctx)
	}
	return nil
}

// started tells the train that a rollout was started.
func (y *yard) started(n int64) {
	y.mu.Lock()
	token := y.starting[n]
	y.mu.Unlock()
	y.complete(token, nil, connect.Deployment("").TrainID("edge"))
}

// complete answers an activity; one that was cancelled meanwhile does not hear it. The environment
// does not wake a child for an answer, so that a signal does.
func (y *yard) complete(token []byte, answer any, id string) {
	_ = y.env.CompleteActivity(token, answer, nil)
	_ = y.env.SignalWorkflowByID(id, "has an answer", nil)
}

// at has something done a while after the beginning.
func (y *yard) at(d time.Duration, f func()) { y.env.RegisterDelayedCallback(f, d) }

// submit submits a release a while after the beginning; more are lines of its spec.
func (y *yard) submit(d time.Duration, release string, more string, s Submit, answer func(Submitted, error)) {
	doc, err := spec.Parse("f.yaml", fmt.Appendf(nil, text, release, y.stages, more), y.catalog().Kinds())
	require.NoError(y.t, err)
	if y.edit != nil {
		y.edit(&doc.Spec)
	}
	digest, data, err := fleet.Encode(y.fleet)
	require.NoError(y.t, err)
	s.Submission = rollout.Submission{Spec: doc.Spec, FleetDigest: digest, FleetData: data, By: "test"}
	if s.Input == "" {
		s.Input = release
	}
	y.at(d, func() {
		err := y.env.UpdateWorkflowByID(connect.Deployment("").TrainID("edge"), connect.UpdateSubmit, release+d.String(), &reply{yard: y, then: answer}, s)
		require.NoError(y.t, err)
	})
}

// reply is what becomes of an update.
type reply struct {
	yard *yard
	then func(Submitted, error)
}

func (*reply) Accept()            {}
func (r *reply) Reject(err error) { r.yard.t.Errorf("an update was rejected: %v", err) }
func (r *reply) Complete(v any, err error) {
	s, _ := v.(Submitted)
	if r.then != nil {
		r.then(s, err)
	} else if err != nil {
		r.yard.t.Errorf("an update has failed: %v", err)
	}
}

// tell signals a rollout a while after the beginning.
func (y *yard) tell(d time.Duration, n int64, signal string) {
	y.at(d, func() {
		id := connect.Deployment("").RolloutID("edge", n)
		require.NoError(y.t, y.env.SignalWorkflowByID(id, signal, words.ControlRequest{By: "tester", Why: "a test"}))
	})
}

// signal signals the train a while after the beginning.
func (y *yard) signal(d time.Duration, name string, c Control) {
	y.at(d, func() {
		require.NoError(y.t, y.env.SignalWorkflowByID(connect.Deployment("").TrainID("edge"), name, c))
	})
}

// ledger is the train's, now.
func (y *yard) ledger() train.Ledger {
	v, err := y.env.QueryWorkflowByID(connect.Deployment("").TrainID("edge"), connect.QueryLedger)
	require.NoError(y.t, err)
	var l train.Ledger
	require.NoError(y.t, v.Get(&l))
	return l
}

// drive runs everything for a while.
func (y *yard) drive(d time.Duration) {
	y.at(d, func() { y.env.SignalWorkflow("stop", nil) })
	y.env.ExecuteWorkflow("yard")
	require.NoError(y.t, y.env.GetWorkflowError())
}

// ends runs everything for a day, after which every target runs a release and the rollouts, by
// number, have ended so.
func (y *yard) ends(release string, phases ...words.Phase) {
	y.t.Helper()
	y.drive(day)
	want := map[int64]words.Phase{}
	for i, p := range phases {
		want[int64(i+1)] = p
	}
	require.Equal(y.t, want, y.results())
	require.Equal(y.t, map[string]int{release: len(y.fleet.Targets)}, y.on())
}

var pace = health.Pace{Every: 10 * time.Second, Blind: time.Minute}

func (y *yard) report(v health.Verdict, at time.Time) health.Report {
	return health.Report{At: at, Results: []health.Result{{Check: "up", Verdict: v, Sentence: "up: as the test says"}}}
}

func (y *yard) plan(digest string) (p plan.Plan) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if p, ok := y.plans[digest]; ok {
		return p
	}
	defer func() { y.plans[digest] = p }()
	data, err := y.store.Get(y.t.Context(), digest)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		y.t.Errorf("a plan: %v", err)
	}
	return p
}

func (y *yard) verdict(in activities.HealthInput, at time.Time) health.Verdict {
	p := y.plan(in.Plan)
	y.mu.Lock()
	y.taken[p.Spec.Release] = max(y.taken[p.Spec.Release], len(in.Taken))
	y.mu.Unlock()
	if y.bad(p.Spec.Release, in.Stage, at.Sub(in.Since)) {
		return health.Fail
	}
	return health.Pass
}

// checkArms says that what a look counts as exposed runs the rollout's release, unless one goes
// back, and that a stage has one control as long as it is judged: what its checks have seen is of
// that one.
func (y *yard) checkArms(in activities.HealthInput) {
	p := y.plan(in.Plan)
	y.mu.Lock()
	at := fmt.Sprint(in.Plan, in.Stage)
	if was, ok := y.ahead[at]; ok && !reflect.DeepEqual(was, in.Ahead) {
		y.t.Errorf("stage %d of %s is judged beside %+v, and was beside %+v", in.Stage, p.Spec.Release, in.Ahead, was)
	}
	y.ahead[at] = in.Ahead
	y.mu.Unlock()
	gone := map[string]bool{}
	for _, r := range in.Taken {
		for _, t := range y.plan(r.Plan).Exposed(r.Stages - 1) {
			gone[t.ID] = true
		}
	}
	y.hosts.mu.Lock()
	defer y.hosts.mu.Unlock()
	for _, t := range p.Exposed(in.Stage) {
		if now := y.hosts.now[t.ID]; !gone[t.ID] && now.Release > p.Spec.Release {
			y.t.Errorf("%s is judged by %s, which runs %s", p.Spec.Release, t.ID, now.Release)
		}
	}
}

// looks are those of one watch, so far.
type looks struct {
	yard *yard
	in   activities.WatchInput
	at   time.Time
	seen activities.StageReport
}

func (y *yard) looksOf(in activities.WatchInput, began time.Time) *looks {
	return &looks{yard: y, in: in, at: began, seen: activities.StageReport{Watched: in.Watched}}
}

// until looks on, every ten seconds, and answers whether the watch ends by itself before a time.
func (l *looks) until(end time.Time) (over bool) {
	for l.at.Add(pace.Every).Before(end) {
		l.at = l.at.Add(pace.Every)
		v := l.yard.verdict(l.in.HealthInput, l.at)
		r := l.yard.report(v, l.at).MidBake(false)
		l.seen = activities.StageReport{Report: r, Watched: l.seen.Watched.Look(l.at, r.Saw(), pace)}
		if v == health.Fail || l.in.Ends(l.seen) || !l.at.Before(l.in.Until) {
			return true
		}
	}
	return false
}

// watch looks every ten seconds, in the environment's time: it ends when it sees harm, or at its
// end. What happens between is looked at when it is cancelled.
func (y *yard) watch(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
	began, token, id := y.env.Now(), activity.GetInfo(ctx).TaskToken, activity.GetInfo(ctx).WorkflowExecution.ID
	all := y.looksOf(in, began)
	var look func()
	look = func() {
		if all.until(y.env.Now().Add(time.Second)) {
			y.complete(token, all.seen, id)
			return
		}
		if y.env.Now().Before(in.Until.Add(pace.Every)) {
			y.env.RegisterDelayedCallback(look, time.Minute)
		}
	}
	y.env.RegisterDelayedCallback(look, time.Minute)
	return activities.StageReport{}, activity.ErrResultPending
}

// answering has a cancelled watch say what it has seen, as on a server.
type answering struct {
	interceptor.WorkflowOutboundInterceptorBase
	yard *yard
}

func (y *yard) answering(_ workflow.Context, next interceptor.WorkflowOutboundInterceptor) interceptor.WorkflowOutboundInterceptor {
	return &answering{interceptor.WorkflowOutboundInterceptorBase{Next: next}, y}
}

// ExecuteActivity also looks whether a watch that is to begin counts the right targets. It never
// replays.
//
//workflowcheck:ignore
func (a *answering) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	f := a.Next.ExecuteActivity(ctx, name, args...)
	if name == activities.TypeCompare {
		a.yard.compared++
	}
	if name != activities.TypeWatch {
		return f
	}
	in := args[0].(activities.WatchInput)
	a.yard.checkArms(in.HealthInput) // here and not in the activity: one that is cancelled may begin late, and is heard by nobody
	return answered{Future: f, yard: a.yard, in: in, began: workflow.Now(ctx)}
}

type answered struct {
	workflow.Future
	yard  *yard
	in    activities.WatchInput
	began time.Time
}

//workflowcheck:ignore // it never replays
func (a answered) Get(ctx workflow.Context, out any) error {
	err := a.Future.Get(ctx, out)
	if temporal.IsCanceledError(err) {
		all := a.yard.looksOf(a.in, a.began)
		all.until(workflow.Now(ctx))
		*out.(*activities.StageReport) = all.seen
		return nil
	}
	return err
}

// results are how the rollouts have ended, by number.
func (y *yard) results() map[int64]words.Phase {
	y.mu.Lock()
	defer y.mu.Unlock()
	out := map[int64]words.Phase{}
	for _, n := range slices.Sorted(maps.Keys(y.ended)) {
		out[n] = y.ended[n].Phase
	}
	return out
}
