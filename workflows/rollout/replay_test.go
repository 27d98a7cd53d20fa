package rollout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// Rollouts that run while a worker is replaced go on: what was recorded of each released version
// replays, and ends as it ended. If this fails, the workflow has changed: guard the change with
// workflow.GetVersion. A folder may be recorded anew only as long as its version is not released.
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*/*.json") // a folder for each version
	require.NoError(t, err)
	results := map[rollout.Phase]bool{}
	for _, f := range files {
		t.Run(strings.TrimPrefix(f, "testdata/histories/"), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			Register(r)
			h, was := recorded(t, f)
			id := workflow.Execution{ID: connect.WorkflowID(was.Unit), RunID: "recorded"}
			require.NoError(t, r.ReplayWorkflowHistoryWithOptions(quiet{}, h, worker.ReplayWorkflowHistoryOptions{OriginalExecution: id}))
			var now rollout.State
			replayed, ok := r.(interface {
				GetWorkflowResult(id string, out any) error
			})
			require.True(t, ok, "the SDK's replayer no longer answers results")
			require.NoError(t, replayed.GetWorkflowResult(id.ID, &now))
			require.Equal(t, was.Outcome.Result, now.Outcome.Result)
			require.Equal(t, was.Outcome.Reverted, now.Outcome.Reverted)
			require.Len(t, now.Outcome.NotReverted, len(was.Outcome.NotReverted))
			results[was.Outcome.Result] = true
		})
	}
	for _, want := range []rollout.Phase{rollout.PhasePromoted, rollout.PhaseRolledBack, rollout.PhaseAborted, rollout.PhaseIncomplete} {
		require.True(t, results[want], "no recorded rollout ended as %s", want)
	}
}

// recorded is a history, and how its rollout ended.
func recorded(t *testing.T, file string) (*historypb.History, rollout.State) {
	t.Helper()
	in, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	h, err := client.HistoryFromJSON(in, client.HistoryJSONOptions{})
	require.NoError(t, err)
	last := h.GetEvents()[len(h.GetEvents())-1].GetWorkflowExecutionCompletedEventAttributes()
	var s rollout.State
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(last.GetResult(), &s))
	require.NotNil(t, s.Outcome)
	return h, s
}
