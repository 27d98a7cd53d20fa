package connect

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/internal/clock"
)

// On a machine whose clock is off, a task's time limit begins when it began there.
func TestTasksAreDated(t *testing.T) {
	for _, off := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		var c clock.Clock
		server := time.Now().Add(-off)
		poll := func(reply any, err error) error {
			answer := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return err }
			return dated(&c)(t.Context(), "Poll", nil, reply, nil, answer)
		}
		task := &workflowservice.PollActivityTaskQueueResponse{
			ScheduledTime: timestamppb.New(server.Add(-time.Second)), StartedTime: timestamppb.New(server),
		}
		require.Error(t, poll(task, errors.New("gone")))
		require.NoError(t, poll(&workflowservice.PollActivityTaskQueueResponse{}, nil), "nothing to do")
		require.NoError(t, poll(task, nil))
		require.WithinDuration(t, server, c.Now(), 5*time.Second)
		require.WithinDuration(t, time.Now().Add(-time.Second), task.GetScheduledTime().AsTime(), 5*time.Second)

		eager := &workflowservice.PollActivityTaskQueueResponse{ScheduledTime: timestamppb.New(server), StartedTime: timestamppb.New(server)}
		require.NoError(t, poll(&workflowservice.RespondWorkflowTaskCompletedResponse{
			ActivityTasks: []*workflowservice.PollActivityTaskQueueResponse{eager},
		}, nil))
		require.WithinDuration(t, time.Now(), eager.GetScheduledTime().AsTime(), 5*time.Second)

		later := server.Add(time.Minute)
		require.NoError(t, poll(&workflowservice.PollWorkflowTaskQueueResponse{StartedTime: timestamppb.New(later)}, nil))
		require.WithinDuration(t, later, c.Now(), 5*time.Second)
	}
}
