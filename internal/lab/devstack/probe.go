package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// probe asks everything that clients depend on once.
func (r ready) probe(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{
		Service: workflowservice.WorkflowService_ServiceDesc.ServiceName,
	})
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	if health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("check health: %v", health.GetStatus())
	}
	api := workflowservice.NewWorkflowServiceClient(conn)
	if err := probeNamespace(ctx, api); err != nil {
		return err
	}
	if err := probeHistory(ctx, api); err != nil {
		return err
	}
	return probeHTTP(ctx, r.UI+"/healthz")
}

// foreignFileError says that the database was made by something else, which no waiting cures.
type foreignFileError struct{ missing []string }

func (e *foreignFileError) Error() string {
	return fmt.Sprintf("namespace %s has no search attributes %v: the --db file was not made by this devstack; name another or delete it",
		namespace, e.missing)
}

func probeNamespace(ctx context.Context, api workflowservice.WorkflowServiceClient) error {
	ns, err := api.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("describe namespace %s: %w", namespace, err)
	}
	has := slices.Collect(maps.Values(ns.GetConfig().GetCustomSearchAttributeAliases()))
	missing := slices.DeleteFunc(searchAttributes(), func(name string) bool { return slices.Contains(has, name) })
	if len(missing) > 0 {
		return &foreignFileError{missing}
	}
	return nil
}

// probeHistory asks for a workflow that cannot exist: "not found" is an answer of the shard that
// holds all of them.
func probeHistory(ctx context.Context, api workflowservice.WorkflowServiceClient) error {
	_, err := api.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: "devstack:ready"},
	})
	if status.Code(err) == codes.NotFound {
		return nil
	}
	return fmt.Errorf("ask the history shard: %w", err)
}

func probeHTTP(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the Web UI: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the Web UI: %s", response.Status)
	}
	return nil
}
