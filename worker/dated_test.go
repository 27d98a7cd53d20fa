package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/rollout"
)

// An answer has the time at which it was given, and a result has none.
func TestAnswersAreDated(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&dated{now: func() time.Time { return at }}}})
	state := rollout.State{Unit: "edge"}
	flow := func(ctx workflow.Context) (rollout.State, error) {
		other := func() (string, error) { return "pong", nil }
		if err := workflow.SetQueryHandler(ctx, "ping", other); err != nil {
			return state, err
		}
		return state, workflow.SetQueryHandler(ctx, rollout.QueryStatus, func() (rollout.State, error) { return state, nil })
	}
	env.RegisterWorkflow(flow)
	env.ExecuteWorkflow(flow)
	require.NoError(t, env.GetWorkflowError())
	var answered, ended rollout.State
	got, err := env.QueryWorkflow(rollout.QueryStatus)
	require.NoError(t, err)
	require.NoError(t, got.Get(&answered))
	require.Equal(t, at, answered.Now)
	require.NoError(t, env.GetWorkflowResult(&ended))
	require.Zero(t, ended.Now)
	got, err = env.QueryWorkflow("ping")
	require.NoError(t, err)
	var pong string
	require.NoError(t, got.Get(&pong))
	require.Equal(t, "pong", pong)
}
