package rehearsal

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
)

// undying takes the heartbeat timeout from every activity. None of a rehearsal dies, and the test
// environment sends their heartbeats only every 30 s, since it does not tell them their timeout:
// those of 15 s would count as lost.
type undying struct {
	interceptor.WorkflowOutboundInterceptorBase
	// waits is called whenever the rollout begins to wait for something: what it has become until
	// then stays for a while.
	waits func()
}

// undyingWith tells when the rollout waits.
func undyingWith(waits func()) connect.Around {
	return func(ctx workflow.Context, next interceptor.WorkflowOutboundInterceptor) interceptor.WorkflowOutboundInterceptor {
		u := &undying{interceptor.WorkflowOutboundInterceptorBase{Next: next}, waits}
		if workflow.GetInfo(ctx).ParentWorkflowExecution == nil { // it is not the rollout, but who conducts it
			u.waits = func() {}
		}
		return u
	}
}

// ExecuteActivity runs an activity that nobody counts as dead.
func (o *undying) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	o.waits()
	return o.Next.ExecuteActivity(workflow.WithHeartbeatTimeout(ctx, 0), name, args...)
}

// Await waits until a condition holds.
func (o *undying) Await(ctx workflow.Context, condition func() bool) error {
	o.waits()
	return o.Next.Await(ctx, condition)
}

// AwaitWithOptions waits until a condition holds, but no longer than a timeout.
func (o *undying) AwaitWithOptions(ctx workflow.Context, options workflow.AwaitOptions, condition func() bool) (bool, error) {
	o.waits()
	return o.Next.AwaitWithOptions(ctx, options, condition)
}
