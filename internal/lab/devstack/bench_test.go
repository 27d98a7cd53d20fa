package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func countRequest(query string) *workflowservice.CountWorkflowExecutionsRequest {
	return &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: query}
}

// BenchmarkSequentialActivities shows whether the tuning is in force: some 100 ms each without it,
// some milliseconds with it.
func BenchmarkSequentialActivities(b *testing.B) {
	benchmark(b, func(ctx workflow.Context, n int) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		for range n {
			if err := workflow.ExecuteActivity(ctx, nothing).Get(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkSequentialTimers does the same for timers of 10 ms: a second each without the tuning.
func BenchmarkSequentialTimers(b *testing.B) {
	benchmark(b, func(ctx workflow.Context, n int) error {
		for range n {
			if err := workflow.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	})
}

func nothing(context.Context) error { return nil }

func benchmark(b *testing.B, body func(workflow.Context, int) error) {
	b.Helper()
	dir := b.TempDir()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	file := dir + "/ready.json"
	go func() {
		ended <- run(ctx, []string{"--db", dir + "/temporal.db", "--port", "0", "--ui-port", "0", "--ready-file", file}, b.Output(), b.Output())
	}()
	b.Cleanup(func() { cancel(); require.NoError(b, <-ended) })
	var r ready
	require.Eventually(b, func() bool { return r.read(file) == nil }, startPatience, 10*time.Millisecond)

	c, err := client.DialContext(ctx, client.Options{
		HostPort: r.Address,
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(b, err)
	b.Cleanup(c.Close)
	w := worker.New(c, "bench", worker.Options{})
	w.RegisterWorkflowWithOptions(body, workflow.RegisterOptions{Name: "body"})
	w.RegisterActivity(nothing)
	require.NoError(b, w.Start())
	b.Cleanup(w.Stop)
	b.ResetTimer()
	started, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: "bench"}, "body", b.N)
	require.NoError(b, err)
	require.NoError(b, started.Get(ctx, nil))
}
