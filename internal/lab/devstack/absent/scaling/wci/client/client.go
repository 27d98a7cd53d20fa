// Package client stands in for go.temporal.io/auto-scaled-workers/wci/client, see
// ../../../README.md.
package client

import (
	"context"

	deploymentpb "go.temporal.io/api/deployment/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/server/common/namespace"
	"go.uber.org/fx"

	"go.temporal.io/auto-scaled-workers/wci/workflow/iface"
)

// Client scales nothing: no version of a deployment has a compute provider here, and none can be
// given one.
type Client struct{}

// Module gives the server a Client.
var Module = fx.Options(fx.Provide(func() Client { return Client{} }))

type (
	updates = map[string]iface.ScalingGroupSpecUpdate
	version = *deploymentpb.WorkerDeploymentVersion
)

// DescribeWorkerControllerInstance answers that there is none.
func (Client) DescribeWorkerControllerInstance(
	context.Context, *namespace.Namespace, version,
) (*iface.QueryDescribeWorkerControllerInstanceResponse, []byte, error) {
	return nil, nil, serviceerror.NewNotFound("no compute provider")
}

// UpdateWorkerControllerInstance refuses to set one.
func (Client) UpdateWorkerControllerInstance(
	context.Context, *namespace.Namespace, version, []byte, string, updates, []string,
) (*iface.UpdateWorkerControllerInstanceResponse, error) {
	return nil, refusal()
}

// ValidateWorkerControllerInstanceSpec refuses it too.
func (Client) ValidateWorkerControllerInstanceSpec(
	context.Context, *namespace.Namespace, version, string, updates, []string,
) error {
	return refusal()
}

// DeleteWorkerControllerInstance has nothing to delete.
func (Client) DeleteWorkerControllerInstance(context.Context, *namespace.Namespace, version, string) error {
	return nil
}

func refusal() error {
	return serviceerror.NewInvalidArgument("this development server is built without compute providers")
}
