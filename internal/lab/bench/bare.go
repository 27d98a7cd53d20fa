package main

import (
	"encoding/json"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// step is a run of activities of one type that a rollout has started, with what it gave them.
type step struct {
	Activity string            `json:"activity"`
	Inputs   []json.RawMessage `json:"inputs"`
}

// bare is a workflow that does nothing but run activities: one step after the other, and of a step
// four activities at once, as a rollout does.
func bare(ctx workflow.Context, steps []step) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Minute,
		HeartbeatTimeout:    15 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
	})
	for _, s := range steps {
		if err := s.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s step) run(ctx workflow.Context) error {
	const atOnce = 4
	next, running := 0, 0
	var failed error
	for range min(atOnce, len(s.Inputs)) {
		running++
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer func() { running-- }()
			for next < len(s.Inputs) && failed == nil {
				in := s.Inputs[next]
				next++
				if err := workflow.ExecuteActivity(ctx, s.Activity, in).Get(ctx, nil); err != nil {
					failed = err
				}
			}
		})
	}
	if err := workflow.Await(ctx, func() bool { return running == 0 }); err != nil {
		return err
	}
	return failed
}

// steps are the activities that a rollout ran, so that the bare workflow runs the same, whatever
// they are.
func (h history) steps() []step {
	var out []step
	for _, e := range h {
		a := e.GetActivityTaskScheduledEventAttributes()
		if a == nil {
			continue
		}
		name, input := a.GetActivityType().GetName(), json.RawMessage(slices.Clone(a.GetInput().GetPayloads()[0].GetData()))
		if n := len(out); n > 0 && out[n-1].Activity == name {
			out[n-1].Inputs = append(out[n-1].Inputs, input)
			continue
		}
		out = append(out, step{Activity: name, Inputs: []json.RawMessage{input}})
	}
	return out
}
