package connect

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/internal/clock"
)

// dated tells a clock when the server has started each task. It dates the beginning of an
// activity's time limit by this machine's clock: the SDK holds it against that, and would end every
// activity at once where the machine is ahead by more than the limit.
func dated(c *clock.Clock) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		err := next(ctx, method, req, reply, cc, opts...)
		if err != nil {
			return err
		}
		switch answer := reply.(type) {
		case *workflowservice.PollWorkflowTaskQueueResponse:
			c.Heard(began(answer))
		case *workflowservice.PollActivityTaskQueueResponse:
			date(answer, c)
		case *workflowservice.RespondWorkflowTaskCompletedResponse: // brings its own tasks along
			c.Heard(began(answer.GetWorkflowTask()))
			for _, task := range answer.GetActivityTasks() {
				date(task, c)
			}
		}
		return nil
	}
}

// began is when the server has started a task; zero where there is none.
func began(task interface{ GetStartedTime() *timestamppb.Timestamp }) time.Time {
	if at := task.GetStartedTime(); at != nil {
		return at.AsTime()
	}
	return time.Time{}
}

// date dates an activity by this machine's clock.
func date(task *workflowservice.PollActivityTaskQueueResponse, c *clock.Clock) {
	c.Heard(began(task))
	if at := task.GetScheduledTime(); at != nil {
		task.ScheduledTime = timestamppb.New(at.AsTime().Add(c.Ahead()))
	}
}
