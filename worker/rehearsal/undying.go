package rehearsal

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// undying takes the heartbeat timeout from every activity. None of a rehearsal dies, and the test environment sends their
// heartbeats only every 30 s, since it does not tell them their timeout: those of 15 s would count as lost.
type undying struct {
	interceptor.WorkerInterceptorBase
	// waits is called whenever the rollout begins to wait for something: what it has become until then stays for a while.
	waits func()
}

// InterceptWorkflow puts itself around what a workflow asks for.
func (u *undying) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	waits := func() {}
	if workflow.GetInfo(ctx).ParentWorkflowExecution != nil { // the rollout, not who conducts it
		waits = u.waits
	}
	return &undyingInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, waits}
}

type undyingInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	waits func()
}

// Init is told who carries out what a workflow asks for.
func (i *undyingInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&undyingOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: out}, i.waits})
}

type undyingOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	waits func()
}

// ExecuteActivity runs an activity that nobody counts as dead.
func (o *undyingOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	o.waits()
	return o.Next.ExecuteActivity(workflow.WithHeartbeatTimeout(ctx, 0), name, args...)
}

// Await waits until a condition holds.
func (o *undyingOutbound) Await(ctx workflow.Context, condition func() bool) error {
	o.waits()
	return o.Next.Await(ctx, condition)
}

// AwaitWithOptions waits until a condition holds, but no longer than a timeout.
func (o *undyingOutbound) AwaitWithOptions(ctx workflow.Context, options workflow.AwaitOptions, condition func() bool) (bool, error) {
	o.waits()
	return o.Next.AwaitWithOptions(ctx, options, condition)
}
