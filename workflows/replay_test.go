package workflows

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
)

// Rollouts that run while a worker is replaced go on: what was recorded replays.
// If this fails, the workflow has changed: guard the change with
// workflow.GetVersion, and record histories anew only for what was never released.
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			r.RegisterWorkflowWithOptions(Rollout, workflow.RegisterOptions{Name: connect.WorkflowType})
			require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(quiet{}, f))
		})
	}
}
