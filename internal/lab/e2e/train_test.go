package e2e

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/train"
)

// slow writes a spec of a train whose last stage bakes for a minute.
func (d *deployment) slow(release string) string {
	d.t.Helper()
	path := d.spec(release, "3s", "train: {every: true}")
	return edit(d.t, path, "reach: 100%, bake: 3s", "reach: 100%, bake: 1m")
}

// ledger is the unit's train.
func (d *deployment) ledger() (l train.Ledger) {
	d.t.Helper()
	require.NoError(d.t, json.Unmarshal([]byte(d.sluice(0, "train", unit, "-o", "json").Stdout), &l))
	return l
}

// untilTrain waits for a state of the train.
func (d *deployment) untilTrain(what string, ok func(train.Ledger) bool) train.Ledger {
	d.t.Helper()
	deadline := time.Now().Add(100 * time.Second)
	for l := d.ledger(); ; l = d.ledger() {
		if ok(l) {
			return l
		}
		require.True(d.t, time.Now().Before(deadline), "never saw %s: %+v", what, l)
		time.Sleep(200 * time.Millisecond)
	}
}

// in says that a rollout was given so many stages and has not passed the last of them.
func in(n train.Number, stages int) func(train.Ledger) bool {
	return func(l train.Ledger) bool {
		r := l.Find(n)
		return r != nil && r.Granted == stages && r.Passed == stages-1
	}
}

func noneOpen(l train.Ledger) bool { return len(l.Open) == 0 }

// Releases overlap on a real server, with its worker killed: the older one is aborted, and both go
// back in one hop. One that is terminated is noticed, and taken back.
func TestTrain(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.slow("2.0.0"))
	d.untilTrain("the first in its last stage", in(1, 2))
	out := d.sluice(0, "start", d.slow("2.1.0"))
	require.Contains(t, out.Stdout, unit+":2")
	d.untilTrain("the second in its canary", in(2, 1))
	planned := d.sluice(0, "plan", d.slow("2.2.0"), "--no-predict").Stdout
	require.Contains(t, planned, "would wait for its first stage: rollout 2 is still in a stage with these targets")
	require.Contains(t, d.sluice(0, "list", "--open").Stdout, "TRAIN")
	require.Contains(t, d.sluice(7, "watch", unit, "--timeout", "2s").Stdout, unit+":2 2.1.0 in stage 1")
	d.worker.Kill()
	w, err := d.Worker()
	require.NoError(t, err)
	d.worker = w
	d.sluice(0, "abort", unit+":1", "--why", "it loses orders")
	l := d.untilTrain("the end of both", noneOpen)
	results := map[train.Number]string{}
	for _, c := range l.Closed {
		results[c.Number] = c.Result
	}
	require.Equal(t, map[train.Number]string{1: "aborted", 2: "withdrawn"}, results)
	d.allOn("1.0.0")
	require.Contains(t, d.sluice(0, "train", unit).Stdout, "HELD: rollout 1 went back")
	d.sluice(3, "watch", unit) // as the newest has ended
	require.Contains(t, d.sluice(0, "list", "--unit", unit+":2").Stdout, "withdrawn")
	require.Contains(t, d.sluice(0, "plan", d.slow("2.1.0"), "--no-predict").Stdout, "would be REFUSED")
	require.Contains(t, d.sluice(6, "undo", unit, "--why", "by habit").Stderr, "sluice start SPEC")
	require.Contains(t, d.sluice(6, "start", d.slow("2.1.0")).Stderr, "rollout 2 of 2.1.0 was withdrawn with rollout 1")

	d.sluice(0, "start", d.slow("2.2.0"))
	d.untilTrain("the third in its canary", in(3, 1))
	require.NoError(t, d.client.TerminateWorkflow(t.Context(), connect.Deployment("").RolloutID(unit, 3), "", "by hand"))
	d.untilTrain("that it is gone", func(l train.Ledger) bool { return l.Find(3) != nil && l.Find(3).State == train.Lost })
	d.sluice(5, "watch", unit)
	d.sluice(0, "take-back", unit+":3", "--why", "terminated by mistake")
	d.untilTrain("the end of the third", noneOpen)
	d.allOn("1.0.0")

	ran := d.sluice(0, "start", d.spec("2.3.0", "2s", "train: {}"), "--wait")
	require.Contains(t, ran.Stdout, "promoted")
	d.allOn("2.3.0")
	require.Contains(t, d.sluice(0, "status", unit).Stdout, "2.3.0", "a unit's name means its newest rollout")

	d.terminateTrain()
	d.sluice(0, "start", d.slow("2.4.0"))
	d.untilTrain("a number that no rollout had before", in(5, 1))
	d.terminateTrain()
	require.Contains(t, d.sluice(6, "start", d.slow("2.5.0")).Stderr, "its rollout 5 is under way")
	d.sluice(0, "abort", unit+":5", "--why", "its train is gone")
	d.sluice(4, "watch", unit+":5")
	d.allOn("2.3.0")
}

func (d *deployment) terminateTrain() {
	d.t.Helper()
	require.NoError(d.t, d.client.TerminateWorkflow(d.t.Context(), connect.Deployment("").TrainID(unit), "", "by hand"))
}

// A train whose workflow was reset goes on with what the run before knew: to its first task, with
// two rollouts under way, and none of its messages is taken for a new one.
func TestTrainThatIsReset(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.slow("2.0.0"))
	d.untilTrain("the first in its last stage", in(1, 2))
	d.sluice(0, "start", d.slow("2.1.0"))
	d.untilTrain("the second in its canary", in(2, 1))
	before := d.ledger()
	id := connect.Deployment("").TrainID(unit)
	h, err := stack.History(t.Context(), d.client, id, "")
	require.NoError(t, err)
	at := slices.IndexFunc(h.GetEvents(), func(e *historypb.HistoryEvent) bool {
		return e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
	})
	run, err := d.client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	_, err = d.client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: d.Namespace, WorkflowExecution: run.GetWorkflowExecutionInfo().GetExecution(), Reason: "test", RequestId: "1",
		WorkflowTaskFinishEventId: h.GetEvents()[at].GetEventId(),
	})
	require.NoError(t, err)
	after := d.untilTrain("what was known before", func(l train.Ledger) bool { return len(l.Open) == 2 && l.Find(2).Granted == 1 })
	require.Equal(t, before.Last, after.Last)
	require.Equal(t, before.Term, after.Term)
	require.GreaterOrEqual(t, after.Find(1).Told.Version, before.Find(1).Told.Version)
	d.sluice(0, "abort", unit+":1", "--why", "it loses orders")
	l := d.untilTrain("the end of both", noneOpen)
	require.EqualValues(t, 2, l.Last)
	require.Len(t, l.Closed, 2)
	d.allOn("1.0.0")
}
