package rehearsal

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// undying takes the heartbeat timeout from every activity. None of a rehearsal dies, and the test environment sends their
// heartbeats only every 30 s, since it does not tell them their timeout: those of 15 s would count as lost.
type undying struct {
	interceptor.WorkerInterceptorBase
}

// InterceptWorkflow puts itself around what a workflow asks for.
func (*undying) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &undyingInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type undyingInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

// Init is told who carries out what a workflow asks for.
func (i *undyingInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&undyingOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type undyingOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

// ExecuteActivity runs an activity that nobody counts as dead.
func (o *undyingOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	return o.Next.ExecuteActivity(workflow.WithHeartbeatTimeout(ctx, 0), name, args...)
}
