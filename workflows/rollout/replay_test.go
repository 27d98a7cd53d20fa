package rollout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/internal/rollout"
)

// Rollouts that run while a worker is replaced go on: what was recorded of each released
// version replays, and ends as it ended. If this fails, the workflow has changed: guard
// the change with workflow.GetVersion. A folder may be recorded anew only as long as its
// version is not released.
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*/*.json") // a folder for each version
	require.NoError(t, err)
	results := map[rollout.Phase]bool{}
	for _, f := range files {
		t.Run(strings.TrimPrefix(f, "testdata/histories/"), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			Register(r)
			require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(quiet{}, f))
			was := recordedOutcome(t, f)
			var now rollout.State
			replayed, ok := r.(interface {
				GetWorkflowResult(id string, out any) error
			})
			require.True(t, ok, "the SDK's replayer no longer answers results")
			require.NoError(t, replayed.GetWorkflowResult("", &now))
			require.Equal(t, was.Result, now.Outcome.Result)
			require.Equal(t, was.Reverted, now.Outcome.Reverted)
			require.Len(t, now.Outcome.NotReverted, len(was.NotReverted))
			results[was.Result] = true
		})
	}
	for _, want := range []rollout.Phase{rollout.PhasePromoted, rollout.PhaseRolledBack, rollout.PhaseAborted, rollout.PhaseIncomplete} {
		require.True(t, results[want], "no recorded rollout ended as %s", want)
	}
}

// recordedOutcome is how the rollout of a history ended.
func recordedOutcome(t *testing.T, file string) rollout.Outcome {
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
	return *s.Outcome
}
