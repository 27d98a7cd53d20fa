package connect

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// Around stands between a workflow and who carries out what it asks for: it answers who does so in
// the place of next.
type Around func(ctx workflow.Context, next interceptor.WorkflowOutboundInterceptor) interceptor.WorkflowOutboundInterceptor

// Interceptor is what a worker's options take.
func (a Around) Interceptor() interceptor.WorkerInterceptor { return &around{with: a} }

type around struct {
	interceptor.WorkerInterceptorBase
	with Around
}

// InterceptWorkflow stands before a workflow.
func (a *around) InterceptWorkflow(
	ctx workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	return &aroundInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, ctx, a.with}
}

type aroundInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	ctx  workflow.Context
	with Around
}

// Init is told who carries out what a workflow asks for.
func (a *aroundInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return a.Next.Init(a.with(a.ctx, next))
}
