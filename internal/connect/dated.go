package connect

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/internal/clock"
)

// dated tells a clock when the server has started each task. It dates the beginning of an
// activity's time limit by this machine's clock: the SDK holds it against that, and would
// end every activity at once where the machine is ahead by more than the limit.
func dated(c *clock.Clock) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		err := next(ctx, method, req, reply, cc, opts...)
		switch task := reply.(type) {
		case *workflowservice.PollWorkflowTaskQueueResponse:
			if err == nil && task.GetStartedTime() != nil {
				c.Heard(task.GetStartedTime().AsTime())
			}
		case *workflowservice.PollActivityTaskQueueResponse:
			if err == nil && task.GetStartedTime() != nil {
				c.Heard(task.GetStartedTime().AsTime())
				task.ScheduledTime = timestamppb.New(task.GetScheduledTime().AsTime().Add(c.Ahead()))
			}
		}
		return err
	}
}
