// Package rehearsal runs a rollout without a Temporal server, in time that skips: the workflow, its
// activities and the judge are the real ones, and so are their timers. Only the targets and their
// numbers are a model.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/bubble"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	words "github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/workflows/rollout"
)

// Rehearsal is what is rehearsed.
type Rehearsal struct {
	// Spec is complete: defaults are filled in. Its fleet is Fleet.
	Spec  spec.Spec
	Fleet fleet.Fleet
	Model simulate.Model
	// Before is the release that every target runs.
	Before string
	// Limit is how long it may take, in the rollout's time. It ends earlier where the rollout has
	// ended, or waits for a person since it cannot go back.
	Limit time.Duration
	// Approve passes gates that wait for a person's approval, at once.
	Approve bool
	// After is asked what becomes of the fleet when the rollout has ended at a time; nil looks no
	// further.
	After func(*simulate.World, time.Time) simulate.Ledger
	// Store is a folder for what the rollout keeps. Rehearsals may share one.
	Store store.Store
	// Saw is told of the rollout's states as they come, if it is not nil.
	Saw func(words.State, time.Time)
}

// Result is how a rehearsal ended.
type Result struct {
	// State is the rollout's newest; without an outcome where Limit came first.
	State words.State
	// Began is when, and Took is how long, in the rollout's time.
	Began  time.Time
	Took   time.Duration
	Ledger simulate.Ledger
	// NeverBegan are the model's faults that showed nowhere until then, by their place.
	NeverBegan []int
}

// Run rehearses. It may be called concurrently.
func Run(r Rehearsal, c catalog.Catalog) (Result, error) {
	var out Result
	var err error
	bubble.Run(func() { out, err = r.run(c) })
	return out, err
}

// run is Run in skipped time.
func (r Rehearsal) run(c catalog.Catalog) (Result, error) {
	digest, data, err := fleet.Encode(r.Fleet)
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	world := simulate.NewWorld(r.Model, r.Spec, c.Kinds(), r.Fleet, r.Before, time.Now)
	c.Sources, c.Forms = world.Sources(c.Sources), simulate.Forms(c.Forms)
	acts := activities.New(r.Store, activities.NewMetrics(prometheus.NewRegistry()), dial.Guard{}, c)
	s := stage{Rehearsal: r, world: world, over: make(chan struct{}), began: began}
	s.env = s.mount(activities.Onto(acts, world.Driver(), r.Fleet))
	s.tick()
	s.env.ExecuteWorkflow(s.conduct, rollout.Submission{Spec: r.Spec, FleetDigest: digest, FleetData: data, By: "simulate"})
	if err := s.env.GetWorkflowError(); err != nil {
		return Result{}, fmt.Errorf("rehearse: %w", err)
	}
	took := s.ended.Sub(began)
	if s.state.Phase == words.PhaseLocked { // which is noticed later
		took = s.state.Since.Sub(began)
	}
	return Result{State: s.state, Began: began, Took: took, Ledger: s.ledger, NeverBegan: s.never}, nil
}

// stage is where one rehearsal runs: what stands for Temporal.
type stage struct {
	Rehearsal
	env   *testsuite.TestWorkflowEnvironment
	world *simulate.World
	began time.Time
	// over ends the activity that keeps the environment from skipping time by itself: time is
	// skipped beneath it, for workflows and activities alike.
	over   chan struct{}
	state  words.State
	ended  time.Time
	ledger simulate.Ledger
	never  []int
}

func (s *stage) mount(acts *activities.Activities) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(s.began)
	env.SetTestTimeout(2*s.Limit + 100*time.Hour)
	env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Hour,
		Interceptors:             []interceptor.WorkerInterceptor{undyingWith(s.note).Interceptor()},
	})
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "rehearsal", TaskQueue: connect.TaskQueue})
	env.RegisterWorkflow(s.conduct)
	env.RegisterActivity(s.hold)
	rollout.Register(env)
	acts.Register(env)
	// Those that ask Temporal for other rollouts, of which there are none, those that tell people,
	// and those that run programs.
	env.OnActivity(activities.TypeDrill, mock.Anything, mock.Anything).Return(nil, nil).Maybe()
	env.OnActivity(activities.TypeInherit, mock.Anything, mock.Anything).Return(activities.Inherited{}, nil).Maybe()
	env.OnActivity(activities.TypeSuspects, mock.Anything, mock.Anything).Return(nil, nil).Maybe()
	env.OnActivity(activities.TypeNotify, mock.Anything, mock.Anything).Return(nil).Maybe()
	return env
}

// hold lasts as long as the rehearsal.
func (s *stage) hold(context.Context) error {
	<-s.over
	return nil
}

// conduct is the workflow that stands for Temporal and for an operator. It never replays.
func (s *stage) conduct(ctx workflow.Context, sub rollout.Submission) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{ScheduleToCloseTimeout: 10 * (s.Limit + time.Hour)})
	hold := workflow.ExecuteActivity(ctx, s.hold)
	inner, stop := workflow.WithCancel(ctx)
	options := workflow.ChildWorkflowOptions{WorkflowID: connect.Deployment("").WorkflowID(s.Spec.Unit), TaskQueue: connect.TaskQueue}
	f := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(inner, options), connect.WorkflowType, sub)
	var last words.State
	var failed error
	over := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		failed = f.Get(ctx, &last)
		over = true
	})
	pause := firstLook
	ended := func() bool { return over }
	for !over {
		if _, err := workflow.AwaitWithTimeout(ctx, pause, ended); err != nil {
			return err
		}
		s.look()
		pause = min(2*pause, lookEvery)
		if s.state.Phase == words.PhaseApproval && s.Approve {
			s.tell(ctx, f, words.SignalApprove)
		}
		over = over || s.state.Phase == words.PhaseLocked || workflow.Now(ctx).Sub(s.began) >= s.Limit
	}
	if f.IsReady() {
		s.state = last
	}
	s.ended, s.never = workflow.Now(ctx), s.world.NeverBegan()
	if s.ledger = s.world.Ledger(); s.After != nil {
		s.ledger = s.After(s.world, s.ended)
	}
	// What has not ended goes back, to targets that take it: nobody looks at that any more.
	s.world.Heal()
	stop()
	for !f.IsReady() {
		s.tell(ctx, f, words.SignalGiveUp)
		_ = workflow.Sleep(ctx, time.Minute) // ends early only with the workflow
	}
	close(s.over)
	return errors.Join(failed, hold.Get(ctx, nil))
}

const (
	// firstLook is when somebody looks at the rollout first; the later, the more seldom, and at
	// least so often.
	firstLook = time.Second
	lookEvery = time.Minute
	// tick is how far the environment's clock may be behind. It is of no round length: what happens
	// at the same moment happens in any order, and nothing else should happen then.
	tick = time.Second + 137*time.Microsecond + 91
)

// tick keeps the environment's clock going while activities run.
func (s *stage) tick() {
	select {
	case <-s.over:
	default:
		s.env.RegisterDelayedCallback(s.tick, tick)
	}
}

// tell sends the rollout a signal, as an operator does. One that comes too late is no matter.
func (s *stage) tell(ctx workflow.Context, f workflow.ChildWorkflowFuture, signal string) {
	_ = f.SignalChildWorkflow(ctx, signal, words.ControlRequest{By: "simulate", Why: "rehearsal"}).Get(ctx, nil)
}

// look looks at the rollout as it is.
func (s *stage) look() {
	var now words.State // a new one: the last may be somebody's
	answer, err := s.env.QueryWorkflowByID(connect.Deployment("").WorkflowID(s.Spec.Unit), words.QueryStatus)
	if err != nil || answer.Get(&now) != nil {
		return // it has not begun
	}
	if s.state = now; s.Saw != nil {
		s.Saw(now, s.env.Now())
	}
}

// note looks at the rollout where somebody wants to hear of each state. What comes after the end is
// nobody's.
func (s *stage) note() {
	if s.Saw != nil && s.ended.IsZero() {
		s.look()
	}
}
