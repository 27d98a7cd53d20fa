package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

// Undo starts a run of the unit's own id that names the run it undoes, with that one's spec and
// fleet; what needs none of it is refused with a reason.
func TestUndo(t *testing.T) {
	theirs := workflows.Submission{Spec: spec.Spec{Unit: "edge-proxy", Release: "2.4.1"}, FleetDigest: "sha256:a", FleetData: []byte("x")}
	ended := func(p rollout.Phase, undoes string) fakeTemporal {
		return fakeTemporal{
			describe: always(isCompleted), input: theirs,
			result: rollout.State{Phase: p, Undoes: undoes, Outcome: &rollout.Outcome{Result: p}},
		}
	}
	reset := ended(rollout.PhaseRefused, "run-0")
	reset.result.Outcome.Reason = rollout.RefusedEarlier
	for name, c := range map[string]struct {
		fake   fakeTemporal
		code   int
		reason string
	}{
		"promoted":           {ended(rollout.PhasePromoted, ""), exitOK, ""},
		"incomplete":         {ended(rollout.PhaseIncomplete, ""), exitOK, ""},
		"rolled back":        {ended(rollout.PhaseRolledBack, ""), exitRefused, "nothing-to-undo"},
		"refused":            {ended(rollout.PhaseRefused, ""), exitRefused, "nothing-to-undo"},
		"undone":             {ended(rollout.PhaseUndone, "run-0"), exitRefused, "undone"},
		"an old undo, reset": {reset, exitRefused, "nothing-to-undo"},
		"half undone":        {ended(rollout.PhaseIncomplete, "run-0"), exitOK, ""},
		"ended from outside": {fakeTemporal{describe: always(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED), input: theirs}, exitOK, ""},
		"it still runs":      {fakeTemporal{describe: always(isRunning), query: state(*baking().State)}, exitRefused, "already-running"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			con := testConsole(&out, &errOut)
			con.json = true
			s, err := (&remote{client: &c.fake, namespace: "default"}).undo(
				t.Context(), con, "edge-proxy", "ana", "it loses orders")
			require.Equal(t, c.code, con.report(err), errOut.String())
			if c.code != exitOK {
				require.Contains(t, out.String(), `"reason": "`+c.reason+`"`)
				require.Empty(t, c.fake.started)
				return
			}
			require.Equal(t, "edge-proxy", s.Unit)
			require.Equal(t, "rollout:edge-proxy", c.fake.started[0].ID)
			sub := c.fake.submitted[0].(workflows.Submission)
			require.Equal(t, &workflows.Undo{Run: "run-1", Why: "it loses orders"}, sub.Undo)
			require.Equal(t, theirs.FleetData, sub.FleetData)
			require.Equal(t, "ana", sub.By)
		})
	}
}

// Of an undo that was ended from outside, the run that it was to undo is undone.
func TestUndoOfATerminatedUndo(t *testing.T) {
	theirs := workflows.Submission{Spec: spec.Spec{Unit: "edge-proxy", Release: "2.4.1"}, Undo: &workflows.Undo{Run: "run-0"}}
	fake := fakeTemporal{input: theirs, describe: func(look int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		d := described(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED)
		if look > 2 {
			d.WorkflowExecutionInfo.Execution.RunId = "run-0"
		}
		return d, nil
	}}
	_, err := (&remote{client: &fake, namespace: "default"}).undo(
		t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), "edge-proxy", "ana", "it loses orders")
	require.NoError(t, err)
	require.Equal(t, "run-0", fake.submitted[0].(workflows.Submission).Undo.Run)
}
