package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/rollout"
)

// reset resets the newest run of the unit's rollout to its first or its last workflow task, as the
// Web UI does.
func (d *deployment) reset(first bool) {
	d.t.Helper()
	h, err := stack.History(d.t.Context(), d.client, connect.WorkflowID(unit), "")
	require.NoError(d.t, err)
	var at int64
	for _, e := range h.Events {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED && (at == 0 || !first) {
			at = e.GetEventId()
		}
	}
	run, err := d.client.DescribeWorkflowExecution(d.t.Context(), connect.WorkflowID(unit), "")
	require.NoError(d.t, err)
	_, err = d.client.ResetWorkflowExecution(d.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: run.GetWorkflowExecutionInfo().GetExecution(), Reason: "test", RequestId: "test" + d.t.Name(),
		WorkflowTaskFinishEventId: at,
	})
	require.NoError(d.t, err)
}

// A rollout that is reset takes back what it had changed, wherever it was and to wherever it is
// reset.
func TestResetIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, stage := range []int{0, 1} {
		for _, first := range []bool{true, false} {
			name := map[bool]string{true: "to the first task", false: "to the last task"}[first]
			t.Run([]string{"the canary ", "everyone "}[stage]+name, func(t *testing.T) {
				d := deploy(t, 24)
				d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
				d.until("the canary's bake", phase(rollout.PhaseBake, 0))
				if stage == 1 {
					d.sluice(0, "promote", unit, "--why", "test", "--by", "test")
					d.until("the last bake", phase(rollout.PhaseBake, 1))
				}
				if !first { // the last task is one that nothing but a signal has caused
					d.bareSignal(rollout.SignalResume, "")
					d.until("the signal", func(s rollout.State) bool { return len(s.Controls) > stage })
				}
				d.reset(first)
				s := d.result()
				require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, s.Outcome.Why)
				require.Contains(t, s.Outcome.Why, "was reset")
				require.Equal(t, []int{3, 24}[stage], s.Outcome.Reverted)
				d.allOn("1.0.0")
			})
		}
	}
}

// A rollout that had ended is as it was when it is reset.
func TestResetOfAnEndedRollout(t *testing.T) {
	t.Parallel()
	d := deploy(t, 6)
	d.sluice(0, "start", d.spec("2.0.0", "1s", ""), "--wait")
	d.reset(false)
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Contains(t, s.Outcome.Why, "has changed nothing since")
	d.allOn("2.0.0")
}

// What a terminated rollout has left is taken back first, by the same release and another.
func TestTerminateAndStartAgain(t *testing.T) {
	t.Parallel()
	d := deploy(t, 24)
	for _, release := range []string{"2.0.0", "2.0.0", "3.0.0"} {
		d.sluice(0, "start", d.spec(release, "1h", ""))
		s := d.until("the canary's bake", phase(rollout.PhaseBake, 0))
		require.Equal(t, 3, s.Exposed)
		d.sluice(0, "promote", unit, "--why", "test", "--by", "test")
		d.until("the last bake", phase(rollout.PhaseBake, 1))
		require.NoError(t, d.client.TerminateWorkflow(t.Context(), connect.WorkflowID(unit), "", "test"))
	}
	d.sluice(0, "start", d.spec("3.0.0", "1s", ""), "--wait")
	s := d.result()
	require.Contains(t, s.TakenOver, "of 3.0.0, which was terminated; 24 targets were rolled back first")
	orders, err := d.Orders(t.Context())
	require.NoError(t, err)
	backs := 0
	for _, o := range orders {
		if o.Release == "1.0.0" {
			backs++
		}
	}
	require.Equal(t, 3*24, backs)
	d.allOn("3.0.0")
}

// "Start Workflow Like This One", under another id, is no second writer.
func TestStartLikeThisOne(t *testing.T) {
	t.Parallel()
	d := deploy(t, 6)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	h, err := stack.History(t.Context(), d.client, connect.WorkflowID(unit), "")
	require.NoError(t, err)
	var sub json.RawMessage
	input := h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetInput()
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(input, &sub))
	likeThis := client.StartWorkflowOptions{ID: "like-this-one", TaskQueue: connect.TaskQueue}
	again, err := d.client.ExecuteWorkflow(t.Context(), likeThis, connect.WorkflowType, sub)
	require.NoError(t, err)
	var s rollout.State
	require.NoError(t, again.Get(t.Context(), &s))
	require.Equal(t, rollout.PhaseRefused, s.Outcome.Result)
	require.Contains(t, s.Outcome.Why, "start it with sluice start")
	d.sluice(0, "abort", unit)
	require.Equal(t, 3, d.result().Outcome.Reverted)
	d.allOn("1.0.0")
}

// A database that is restored to an older state knows less than the targets do.
func TestRestoredDatabase(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]func(rollout.State) bool{
		"before anything": func(s rollout.State) bool { return s.Phase == rollout.PhasePreflight },
		"in the canary":   phase(rollout.PhaseBake, 0),
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, 24)
			d.sluice(0, "start", d.spec("2.0.0", "4s", ""))
			d.until(name, when)
			d.Temporal.Kill()
			d.copyDatabase("temporal.db", "older.db")
			require.NoError(t, d.RestartTemporal(t.Context()))
			d.until("the last bake", phase(rollout.PhaseBake, 1))
			d.Temporal.Kill()
			d.copyDatabase("older.db", "temporal.db")
			require.NoError(t, d.RestartTemporal(t.Context()))
			if name == "before anything" { // nobody knows any more what any target ran
				s := d.until("the lock", func(s rollout.State) bool { return s.Phase == rollout.PhaseLocked })
				require.Contains(t, s.Outcome.Why, "restored")
				require.Len(t, s.Outcome.NotReverted, 24)
				return
			}
			s := d.result()
			require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, s.Outcome.Why)
			require.Contains(t, s.Outcome.Why, "restored")
			require.Zero(t, s.Exposed)
			d.allOn("1.0.0")
		})
	}
}

// copyDatabase copies a SQLite database that nobody has open.
func (d *deployment) copyDatabase(from, to string) {
	d.t.Helper()
	time.Sleep(200 * time.Millisecond)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(filepath.Join(d.Dir, from+suffix))
		if os.IsNotExist(err) {
			_ = os.Remove(filepath.Join(d.Dir, to+suffix))
			continue
		}
		require.NoError(d.t, err)
		require.NoError(d.t, os.WriteFile(filepath.Join(d.Dir, to+suffix), data, 0o600))
	}
}
