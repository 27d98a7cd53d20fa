package main

import (
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/rollout"
)

// dated dates the states that rollouts answer, so that whoever asks needs no clock of his own to
// tell how old things are. Now is the Temporal server's time. A query leaves nothing in a history.
type dated struct {
	interceptor.WorkerInterceptorBase
	now func() time.Time
}

// InterceptWorkflow stands before a workflow.
func (d *dated) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &datedAnswers{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, now: d.now}
}

type datedAnswers struct {
	interceptor.WorkflowInboundInterceptorBase
	now func() time.Time
}

// HandleQuery dates a state.
func (d *datedAnswers) HandleQuery(ctx workflow.Context, in *interceptor.HandleQueryInput) (any, error) {
	answer, err := d.Next.HandleQuery(ctx, in)
	if s, ok := answer.(rollout.State); ok {
		s.Now = d.now()
		return s, err
	}
	return answer, err
}
