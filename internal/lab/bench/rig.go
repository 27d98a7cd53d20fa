package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
	trains "github.com/sluicehq/sluice/workflows/train"
)

// unit is the only one that the simulated targets know, and before what they run.
const (
	unit   = "bench"
	before = "1.0.0"
	after  = "2.0.0"
)

// rig is a Temporal server of its own and, when simulated, a fleet. The worker is in this process,
// with the settings of sluice-worker, so that it can be profiled and replaced in part.
type rig struct {
	*stack.Stack
	client client.Client
	store  store.Store
	dir    string
	worker *connect.Workers
}

// newRig starts a server in a folder of its own.
func newRig(ctx context.Context, o options) (*rig, error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	r := &rig{dir: dir}
	if r.store, err = store.Dir(filepath.Join(dir, "store")); err != nil {
		return r, err
	}
	if r.Stack, err = stack.Start(ctx, o.bin, dir); err != nil {
		return r, err
	}
	r.client, err = connect.Dial(ctx, connect.Options{Address: r.Address})
	return r, err
}

// close ends what was started, and removes the folder.
func (r *rig) close() {
	if r.worker != nil {
		r.worker.Stop()
	}
	if r.client != nil {
		r.client.Close()
	}
	if r.Stack != nil {
		r.Close()
	}
	_ = os.RemoveAll(r.dir) // in the system's folder for temporary files
}

// work runs the rollout's workflow, and the bare one, with the given activities.
func (r *rig) work(acts any) error {
	w := connect.NewWorkers(r.client, "", 2000)
	workflows.Register(w.Rollouts)
	trains.Register(w.Rollouts)
	w.Rollouts.RegisterWorkflow(bare)
	w.RegisterActivityWithOptions(acts, activity.RegisterOptions{SkipInvalidStructFunctions: true})
	r.worker = &w
	return w.Start()
}

// activities are the real ones.
func (r *rig) activities() *activities.Activities {
	return activities.New(r.store, activities.NewMetrics(prometheus.NewRegistry()), dial.Guard{}, catalog.New())
}

// submission is of a complete spec over a fleet.
func (r *rig) submission(ctx context.Context, s spec.Spec, f fleet.Fleet) (workflows.Submission, error) {
	digest, data, err := fleet.Encode(f)
	sub := workflows.Submission{Spec: s, FleetDigest: digest, FleetData: data, By: "bench"}
	if err == nil && len(data) > 1<<20 { // as the CLI does
		sub.FleetData = nil
		_, err = r.store.Put(ctx, data)
	}
	return sub, err
}

// start starts a rollout, alone or, where its spec says so, in the train of its unit.
func (r *rig) start(ctx context.Context, s spec.Spec, f fleet.Fleet) (client.WorkflowRun, error) {
	sub, err := r.submission(ctx, s, f)
	if err != nil {
		return nil, err
	}
	if s.Train != nil {
		return r.submit(ctx, sub)
	}
	return r.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: connect.WorkflowID(s.Unit), TaskQueue: connect.TaskQueue, WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, connect.WorkflowType, sub)
}

// result waits for a rollout's end and refuses any other than the expected one: a rollout that went
// wrong measures nothing.
func result(ctx context.Context, run client.WorkflowRun, want rollout.Phase) error {
	var s rollout.State
	if err := run.Get(ctx, &s); err != nil {
		return err
	}
	if s.Outcome == nil || s.Outcome.Result != want {
		return fmt.Errorf("the rollout ended as %+v, expected %s", s.Outcome, want)
	}
	return nil
}

// until waits for a phase of a rollout.
func (r *rig) until(ctx context.Context, run client.WorkflowRun, phase rollout.Phase) error {
	for {
		var s rollout.State
		v, err := r.client.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), rollout.QueryStatus)
		if err == nil && v.Get(&s) == nil {
			switch {
			case s.Phase == phase:
				return nil
			case s.Outcome != nil:
				return fmt.Errorf("the rollout ended as %+v before it was %s", s.Outcome, phase)
			}
		}
		if err := pause.For(ctx, time.Second); err != nil {
			return fmt.Errorf("never saw the rollout %s: %w", phase, err)
		}
	}
}

// specOf completes a spec with the one check that all rollouts have here. The last three are YAML:
// the driver and its settings, a line for each stage, and where and how often health is measured.
func specOf(unit, release, driver, stages, watch string) (spec.Spec, error) {
	text := fmt.Sprintf(`unit: %s
release: %q
fleet: fleet.yaml
driver: {%s}
stages:
%s
health: {%s, checks: [{name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 10%%}]}
`, unit, release, driver, stages, watch)
	doc, err := spec.Parse("bench.yaml", []byte(text), catalog.New().Kinds())
	if err != nil {
		return spec.Spec{}, err
	}
	return doc.Spec, nil
}
