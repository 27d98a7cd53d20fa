package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/pause"
)

const (
	// joinRetention is how long a namespace that Join creates keeps finished rollouts.
	joinRetention = 24 * time.Hour
	// joinPatience is how long a server may take to make a new namespace known to itself.
	joinPatience = time.Minute
	// joinRefresh is how often a server reads its namespaces anew, and with them the names of
	// search attributes.
	joinRefresh = 10 * time.Second
)

// Join uses a server that runs already, in a namespace that is created where there is none, with
// Sluice's search attributes.
func (s *Stack) Join(ctx context.Context, address, namespace string) error {
	c, err := connect.Dial(ctx, connect.Options{Address: address, Namespace: namespace})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(joinRetention),
	})
	if err != nil && !errors.As(err, new(*serviceerror.NamespaceAlreadyExists)) {
		return fmt.Errorf("create namespace %s: %w", namespace, err)
	}
	s.Address, s.Namespace = address, namespace
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	for added := false; ; {
		missing, err := missingAttributes(ctx, c, namespace)
		switch {
		case err == nil && len(missing) == 0 && added:
			return pause.For(ctx, joinRefresh)
		case err == nil && len(missing) == 0:
			return nil
		case err == nil:
			added = true
			err = addAttributes(ctx, c, namespace, missing)
		}
		if pause.For(ctx, time.Second) != nil { // the server may not know a new namespace yet
			return fmt.Errorf("add search attributes to namespace %s: %w", namespace, err)
		}
	}
}

// missingAttributes are those of Sluice's search attributes that a namespace does not have.
func missingAttributes(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	has, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(connect.Attributes(), func(name string) bool {
		return has.GetCustomAttributes()[name] == enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}), nil
}

func addAttributes(ctx context.Context, c client.Client, namespace string, names []string) error {
	types := map[string]enumspb.IndexedValueType{}
	for _, name := range names {
		types[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: types,
	})
	return err
}
