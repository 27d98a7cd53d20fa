package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

// actors are the activities of rollouts on a healthy fleet, in this process. A test chooses what
// each does. They are methods of the names that the workflow asks for.
type actors struct {
	mu sync.Mutex
	// tries counts the attempts by workflow and activity.
	tries map[string]int
	// broken says which activity of which workflow ends with an error.
	broken func(workflow, name string) bool
	// gate answers the last look of a stage, failing that its watch has seen harm, and baseline
	// blocks while it measures.
	gate     func(activities.GateInput) health.Verdict
	failing  func(activities.WatchInput) bool
	baseline func(activities.BaselineInput)
	// stuck targets do not come back; quiet ones, the last of the fleet, do not answer.
	stuck bool
	quiet int
	fleet fleet.Fleet
}

func (a *actors) begin(ctx context.Context, name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := activity.GetInfo(ctx).WorkflowExecution.ID
	a.tries[id+"/"+name]++
	if a.broken != nil && a.broken(id, name) {
		return errors.New("this activity is broken")
	}
	return nil
}

func (a *actors) tried(id, name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tries[id+"/"+name]
}

// release lets stuck targets come back.
func (a *actors) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stuck = false
}

func reported(v health.Verdict) health.Report {
	return health.Report{At: time.Now(), Results: []health.Result{{Check: "errors", Verdict: v, Sentence: "as the test says"}}}
}

// watched is what is seen of a stage that was watched all the time.
func watched(v health.Verdict, w health.Watched) activities.StageReport {
	w.For = w.Most
	return activities.StageReport{Report: reported(v), Watched: w}
}

func (a *actors) Plan(ctx context.Context, in activities.PlanInput) (activities.Planned, error) {
	p, err := plan.New(in.Spec, a.fleet, spec.Kinds{})
	return activities.Planned{Digest: "sha256:plan", Targets: len(p.Order), Stages: p.Stages}, cmp.Or(a.begin(ctx, "Plan"), err)
}

func (a *actors) Validate(ctx context.Context, _ activities.ApplyInput) ([]activities.Trouble, error) {
	return nil, a.begin(ctx, "Validate")
}

func (a *actors) Preflight(ctx context.Context, _ activities.PreflightInput) (health.Report, error) {
	return reported(health.Pass), a.begin(ctx, "Preflight")
}

func (a *actors) Observe(ctx context.Context, in activities.ObserveInput) (activities.Observed, error) {
	out := activities.Observed{Previous: activities.Previous{Common: "1.0.0"}}
	for _, t := range a.silent(in.Batch) {
		out.Previous.Absent, out.Trouble = append(out.Previous.Absent, t.ID), append(out.Trouble, t)
	}
	return out, a.begin(ctx, "Observe")
}

// silent are the quiet targets of a batch.
func (a *actors) silent(in activities.Batch) (out []activities.Trouble) {
	for i := max(in.From, len(a.fleet.Targets)-a.quiet); i < in.To; i++ {
		out = append(out, activities.Trouble{ID: fmt.Sprint("quiet", i), Silent: true, Reason: "does not answer"})
	}
	return out
}

func (a *actors) Baseline(ctx context.Context, in activities.BaselineInput) (health.Baseline, error) {
	if a.baseline != nil {
		a.baseline(in)
	}
	return health.Baseline{}, a.begin(ctx, "Baseline")
}

func (a *actors) Apply(ctx context.Context, in activities.ApplyInput) (activities.Applied, error) {
	return activities.Applied{Changed: in.To - in.From - len(in.Previous.Absent)}, a.begin(ctx, "Apply")
}

func (a *actors) Revert(ctx context.Context, in activities.RevertInput) (activities.Reverted, error) {
	err := a.begin(ctx, "Revert")
	a.mu.Lock()
	defer a.mu.Unlock()
	var out activities.Reverted
	for i := in.From; i < in.To-len(in.Previous.Absent); i++ {
		if a.stuck {
			out.Trouble = append(out.Trouble, activities.Trouble{ID: fmt.Sprint("stuck", i), Reason: "is away"})
			continue
		}
		out.Reverted++
	}
	return out, err
}

func (a *actors) Watch(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
	err := a.begin(ctx, "Watch")
	for tick := time.NewTicker(100 * time.Millisecond); err == nil && time.Now().Before(in.Until); {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return watched(health.Pass, in.Watched), nil
		case <-tick.C:
		}
		if a.failing != nil && a.failing(in) {
			return activities.StageReport{Report: reported(health.Fail)}, nil
		}
	}
	return watched(health.Pass, in.Watched), err
}

func (a *actors) Gate(ctx context.Context, in activities.GateInput) (activities.StageReport, error) {
	err := a.begin(ctx, "Gate")
	v := health.Pass
	if a.gate != nil {
		v = a.gate(in)
	}
	return watched(v, in.Watched), err
}

func (a *actors) FindStragglers(ctx context.Context, _ activities.StragglersInput) (activities.Stragglers, error) {
	return activities.Stragglers{}, a.begin(ctx, "FindStragglers")
}

func (a *actors) Inherit(ctx context.Context, _ activities.InheritInput) (activities.Inherited, error) {
	return activities.Inherited{}, a.begin(ctx, "Inherit")
}

func (a *actors) Survey(ctx context.Context, in activities.SurveyInput) (activities.Surveyed, error) {
	return activities.Surveyed{Silent: a.silent(in.Batch)}, a.begin(ctx, "Survey")
}

func (a *actors) Recover(ctx context.Context, _ activities.RecoverInput) (activities.StageReport, error) {
	return activities.StageReport{Report: reported(health.Pass)}, a.begin(ctx, "Recover")
}

// acted is a real server with actors, and a worker for workflows that may be away: what happens
// meanwhile comes to the workflow in one task.
type acted struct {
	*actors
	t         *testing.T
	client    client.Client
	workflows worker.Worker
}

func act(t *testing.T, targets int) *acted {
	t.Helper()
	c := serve(t).client
	a := &acted{t: t, client: c, actors: &actors{tries: map[string]int{}}}
	for i := range targets {
		id := fmt.Sprintf("host-%d", i)
		a.fleet.Targets = append(a.fleet.Targets, fleet.Target{ID: id, Address: id + ":80"})
	}
	for _, queue := range []string{connect.TaskQueue, connect.Deployment("").RollbackQueue()} {
		w := worker.New(c, queue, worker.Options{DisableWorkflowWorker: true})
		w.RegisterActivity(a.actors)
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	a.up()
	t.Cleanup(a.down)
	return a
}

func (a *acted) up() {
	a.workflows = worker.New(a.client, connect.TaskQueue, worker.Options{LocalActivityWorkerOnly: true})
	workflows.Register(a.workflows)
	require.NoError(a.t, a.workflows.Start())
}

func (a *acted) down() { a.workflows.Stop() }

// twoStages is a spec of a canary and everyone.
func twoStages(bake time.Duration) spec.Spec {
	one, minute := 1, spec.Duration(time.Minute)
	return spec.Spec{
		Unit: "acted", Release: "2.0.0", Driver: spec.Driver{Choice: spec.Choose("http", driver.HTTP{})},
		Apply:    spec.Apply{Batch: 100, Parallel: 50, Attempts: 3},
		Rollback: spec.Rollback{Deadline: spec.Duration(time.Second), Parallel: 50, Recover: minute},
		Stages: []spec.Stage{
			{Name: "canary", Count: &one, Bake: spec.Duration(bake), DecideWithin: minute},
			{Name: "everyone", Reach: &spec.Reach{Percent: 100}, Bake: spec.Duration(bake), DecideWithin: minute},
		},
	}
}

func (a *acted) start(id string, s spec.Spec) client.WorkflowRun {
	a.t.Helper()
	s.Unit = strings.TrimPrefix(id, "rollout:") // one workflow for each unit
	run, err := a.client.ExecuteWorkflow(a.t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: connect.TaskQueue},
		connect.WorkflowType, workflows.Submission{Spec: s, By: "ann", FleetDigest: "sha256:fleet", FleetData: []byte("fleet")})
	require.NoError(a.t, err)
	return run
}

func (a *acted) signal(id, name string) {
	a.t.Helper()
	require.NoError(a.t, a.client.SignalWorkflow(a.t.Context(), id, "", name, rollout.ControlRequest{By: "bob", Why: "as the test says"}))
}

// until waits for a state of a rollout.
func (a *acted) until(id string, ok func(rollout.State) bool) rollout.State {
	a.t.Helper()
	var s rollout.State
	require.Eventually(a.t, func() bool {
		var err error
		s, err = stateOf(a.t.Context(), a.client, id, 10*time.Second)
		return err == nil && ok(s)
	}, 3*time.Minute, 100*time.Millisecond, "the rollout never came there: %+v", s)
	return s
}

func (a *acted) result(run client.WorkflowRun) rollout.State {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 3*time.Minute)
	defer cancel()
	var out rollout.State
	require.NoError(a.t, run.Get(ctx, &out))
	return out
}
