package train

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/train"
)

// A train continues as new once nothing is on its way, with all that it knows and with what has
// arrived meanwhile.
func TestContinuesAsNew(t *testing.T) {
	l, n, _, err := train.Ledger{}.Submit(train.Submission{Release: "2"})
	require.NoError(t, err)
	l, _, _, err = l.Submit(train.Submission{Release: "3"})
	require.NoError(t, err)
	told := l.Find(n).Told.Version
	l, _ = l.Hear(train.RolloutReport{Number: n, Seq: 1, Heard: told})
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: connect.Deployment("").TrainID("edge"), TaskQueue: connect.TaskQueue})
	Register(env)
	env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).After(2 * time.Second).Return(nil).Maybe()
	env.SetContinueAsNewSuggested(true) // while a rollout is told, which takes two seconds
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow(connect.SignalReport, train.RolloutReport{Number: n, Seq: 2, Heard: told, GoesBack: true})
	}, time.Second)
	env.ExecuteWorkflow(connect.TrainType, State{Unit: "edge", Ledger: l})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &next)
	var s State
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &s))
	require.Equal(t, train.Back, s.Ledger.Find(n).State)
	require.Equal(t, n, s.Ledger.Find(n+1).WithdrawnBy)
	require.Equal(t, "edge", s.Unit)
	require.NotEmpty(t, append(s.Pending, s.Ledger.Retell()...), "the younger one is told")
}
