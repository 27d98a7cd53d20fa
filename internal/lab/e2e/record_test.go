package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// TestRecordHistories writes histories of real rollouts into the folder that SLUICE_RECORD names,
// for the replay test of package workflows. `make record-histories` runs it. What is recorded
// already stays as it is: a rollout of a released version may still be running.
func TestRecordHistories(t *testing.T) {
	dir := os.Getenv("SLUICE_RECORD")
	if dir == "" {
		t.Skip("not run: records histories, see `make record-histories`")
	}
	one := func(name string, rollout func(t *testing.T) []*historypb.HistoryEvent) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name+".json")
			if _, err := os.Stat(path); err == nil {
				t.Skip("recorded already: remove it first if no released version has made it")
			}
			save(t, path, rollout(t))
		})
	}
	record := func(name string, rollout func(d *deployment)) {
		one(name, func(t *testing.T) []*historypb.HistoryEvent {
			d := deploy(t, 12)
			rollout(d)
			d.result()
			return eventsOf(t, d.client, connect.WorkflowID(unit))
		})
	}
	for name, rollout := range map[string]func(*acted){
		"abort-with-the-last-gate": abortWithTheLastGate,
		"pause-with-the-measuring": pauseWithTheMeasuring,
	} {
		one(name, func(t *testing.T) []*historypb.HistoryEvent {
			a := act(t, 4)
			rollout(a)
			return a.history()
		})
	}
	record("promoted", func(d *deployment) { d.begin(d.spec("2.0.0", "2s", "")) })
	record("rolled-back", func(d *deployment) { d.begin(d.spec("2.0.0-errors", "20s", "")) })
	record("aborted", func(d *deployment) {
		d.begin(d.spec("2.0.0", "1h", ""))
		d.until("the canary's bake", phase(rollout.PhaseBake, 0))
		d.bareSignal(rollout.SignalAbort, "")
	})
	record("steered", func(d *deployment) {
		path := d.spec("2.0.0", "1h", "")
		needApproval(t, path)
		d.begin(path)
		d.until("the canary's bake", phase(rollout.PhaseBake, 0))
		d.bareSignal(rollout.SignalPause, "")
		d.until("a pause", func(s rollout.State) bool { return s.Paused != nil })
		d.bareSignal(rollout.SignalResume, "")
		d.until("a resume", func(s rollout.State) bool { return s.Paused == nil })
		d.bareSignal(rollout.SignalPromote, `{"by":"ann","why":"seen by hand"}`)
		d.until("a wait for approval", phase(rollout.PhaseApproval, 0))
		d.bareSignal(rollout.SignalApprove, `{"by":"bob"}`)
		d.until("the last bake", phase(rollout.PhaseBake, 1))
		d.bareSignal(rollout.SignalPromote, `{"by":"ann","why":"seen by hand"}`)
	})
	record("incomplete", func(d *deployment) {
		d.begin(d.spec("2.0.0", "1h", "rollback: {deadline: 3s}"))
		d.until("the canary's bake", phase(rollout.PhaseBake, 0))
		d.loseOne("2.0.0")
		d.bareSignal(rollout.SignalAbort, "")
		d.until("a locked unit", phase(rollout.PhaseLocked, 0))
		d.bareSignal(rollout.SignalRetry, "")
		d.until("another try", phase(rollout.PhaseRollback, 0))
		d.until("a locked unit", phase(rollout.PhaseLocked, 0))
		d.bareSignal(rollout.SignalGiveUp, `{"by":"ann","why":"the host is scrapped"}`)
	})
	record("swept", func(d *deployment) {
		path := d.spec("2.0.0", "2s", "")
		tolerate(t, path)
		lost := d.lastTargets(path)[0]
		d.control(lost, `{"unreachable": true}`)
		d.begin(path)
		d.until("the last bake", phase(rollout.PhaseBake, 1))
		d.control(lost, `{"unreachable": false}`)
	})
}

// begin starts a rollout in a name that is not this machine's.
func (d *deployment) begin(path string) {
	d.t.Helper()
	d.sluice(0, "start", "--by", "ann", path)
}

// needApproval makes the last stage of a spec wait for approval.
func needApproval(t *testing.T, path string) {
	t.Helper()
	edit(t, path, "reach: 100%,", "reach: 100%, approval: required,")
}

// tolerate lets a spec's last stage go on without some of its targets.
func tolerate(t *testing.T, path string) {
	t.Helper()
	edit(t, path, "reach: 100%,", "reach: 100%, tolerate: {unreachable: 2},")
}

// loseOne makes a target that runs the release unreachable.
func (d *deployment) loseOne(release string) {
	d.t.Helper()
	st, err := d.State(d.t.Context())
	require.NoError(d.t, err)
	for _, target := range st.Targets {
		if target.Release == release {
			d.control(target.ID, `{"unreachable": true}`)
			return
		}
	}
	d.t.Fatalf("no target runs %s", release)
}

// control changes how a simulated target behaves.
func (d *deployment) control(id, how string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.SimURL+"/t/"+id+"/control", strings.NewReader(how))
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	require.NoError(d.t, res.Body.Close())
	require.Equal(d.t, http.StatusNoContent, res.StatusCode)
}

// lastTargets are the targets of a spec's last stage.
func (d *deployment) lastTargets(path string) []string {
	d.t.Helper()
	var planned struct{ Stages []struct{ Targets []string } }
	require.NoError(d.t, json.Unmarshal([]byte(d.sluice(0, "plan", "--output", "json", path).Stdout), &planned))
	return planned.Stages[len(planned.Stages)-1].Targets
}

// eventsOf is the history of a workflow's newest run.
func eventsOf(t *testing.T, c client.Client, id string) []*historypb.HistoryEvent {
	t.Helper()
	var events []*historypb.HistoryEvent
	it := c.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		require.NoError(t, err)
		events = append(events, e)
	}
	return events
}

// save writes a history as JSON.
func save(t *testing.T, path string, events []*historypb.HistoryEvent) {
	t.Helper()
	data, err := protojson.Marshal(&historypb.History{Events: events})
	require.NoError(t, err)
	data, err = anonymous(data)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// anonymous drops from a history what tells of the machine and not of the rollout, and formats it
// always in the same way.
func anonymous(history []byte) ([]byte, error) {
	var h struct {
		Events []map[string]any `json:"events"`
	}
	if err := json.Unmarshal(history, &h); err != nil {
		return nil, err
	}
	for _, e := range h.Events {
		for _, v := range e {
			attributes, ok := v.(map[string]any)
			if !ok {
				continue
			}
			for _, key := range []string{"identity", "requestId", "workerVersion"} {
				delete(attributes, key)
			}
			if q, ok := attributes["taskQueue"].(map[string]any); ok && q["kind"] == "TASK_QUEUE_KIND_STICKY" {
				q["name"] = "sticky"
			}
		}
	}
	data, err := json.MarshalIndent(h, "", " ")
	return append(data, '\n'), err
}
