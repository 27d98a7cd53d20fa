package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
	trains "github.com/sluicehq/sluice/workflows/train"
)

// measureTrains says what a train costs beside rollouts alone: until the first apply, in events,
// and while many bake at once.
func measureTrains(ctx context.Context, o options) (*table.Table, error) {
	t := &table.Table{Title: "Rollouts in a train against rollouts alone", Head: []string{"what", "in a train", "alone", "ratio"}}
	r, err := newRig(ctx, o)
	defer r.close()
	if err != nil {
		return nil, err
	}
	if err := r.work(newInMemory(r)); err != nil {
		return nil, err
	}
	if err := r.measureStarts(ctx, o, t); err != nil {
		return nil, err
	}
	if err := r.measureTrainEvents(ctx, o, t); err != nil {
		return nil, err
	}
	return t, measureTrainCrowd(ctx, o, t)
}

// begun is what it took a rollout to begin and to end, in milliseconds, and how many events its
// history has.
type begun struct{ first, whole, events float64 }

// measureStarts runs the same rollout in a train and alone, in turns.
func (r *rig) measureStarts(ctx context.Context, o options, t *table.Table) error {
	var seen [2][]begun
	for i := 0; o.more(i); i++ {
		for of, train := range []*spec.Train{{}, nil} {
			b, err := r.begin(ctx, i, train)
			if err != nil {
				return err
			}
			if i > 0 { // the first warms up
				seen[of] = append(seen[of], b)
			}
		}
	}
	row := func(what string, of func(begun) float64) {
		addBeside(t, what, "%.0f", each(seen[0], of), each(seen[1], of))
	}
	row("from the submission to the first apply, ms", func(b begun) float64 { return b.first })
	row("from the submission to promoted, ms", func(b begun) float64 { return b.whole })
	row("events of the rollout's own history", func(b begun) float64 { return b.events })
	t.Note("Of those three rows: %d stages without a bake, targets in memory, and judging answers PASS at once. %s",
		overheadStages, mediansOf(len(seen[0])))
	return nil
}

// addBeside adds a row of pairs.
func addBeside(t *table.Table, what, format string, train, alone []float64) {
	t.Add(what, spread(train, format), spread(alone, format), spread(ratios(train, alone), "%.2f"))
}

// begin runs a rollout to its end.
func (r *rig) begin(ctx context.Context, i int, train *spec.Train) (b begun, err error) {
	s, err := stagesOf(overheadStages, fmt.Sprintf("2.%d.0", i))
	if err != nil {
		return b, err
	}
	if s.Train = train; train == nil {
		s.Unit = "alone"
	}
	began := time.Now()
	run, err := r.start(ctx, s, named(overheadStages))
	if err != nil {
		return b, err
	}
	if err := r.promoted(ctx, run); err != nil {
		return b, err
	}
	h, err := historyOf(ctx, r.client, run)
	if err != nil {
		return b, err
	}
	ms := func(at time.Time) float64 { return float64(at.Sub(began).Microseconds()) / 1000 } // the server's clock is this one
	return begun{ms(h.first(activities.TypeApply)), ms(h.ended()), float64(len(h))}, nil
}

// promoted waits until a rollout is, also where it has not begun yet.
func (r *rig) promoted(ctx context.Context, run client.WorkflowRun) error {
	for {
		err := result(ctx, run, rollout.PhasePromoted)
		if _, early := errors.AsType[*serviceerror.NotFound](err); !early {
			return err
		}
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// submit gives a rollout its place in the train of its unit, as the CLI does.
func (r *rig) submit(ctx context.Context, sub workflows.Submission) (client.WorkflowRun, error) {
	u := sub.Spec.Unit
	start := r.client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: connect.Deployment("").TrainID(u), TaskQueue: connect.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, connect.TrainType, trains.State{Unit: u})
	h, err := r.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName: connect.UpdateSubmit, Args: []any{trains.Submit{Submission: sub, Input: sub.Spec.Release}},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err != nil {
		return nil, err
	}
	var place trains.Submitted
	if err := h.Get(ctx, &place); err != nil {
		return nil, err
	}
	return r.client.GetWorkflow(ctx, connect.Deployment("").RolloutID(u, int64(place.Number)), ""), nil
}
