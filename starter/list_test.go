package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// manyRollouts is a server with rollouts that answer, or do not, each for itself.
type manyRollouts struct {
	*fakeTemporal
	answers map[string]rollout.State
	results map[string]rollout.State // where there are none, all have ended as the fake says
	ended   map[string]bool

	mu           sync.Mutex
	asked        int
	atOnce, peak int
}

func (m *manyRollouts) QueryWorkflow(ctx context.Context, id, _, _ string, _ ...any) (converter.EncodedValue, error) {
	m.mu.Lock()
	m.asked++
	m.atOnce++
	m.peak = max(m.peak, m.atOnce)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.atOnce--
		m.mu.Unlock()
	}()
	unit, _ := connect.Deployment("").UnitOf(id)
	s, ok := m.answers[unit]
	if !ok {
		return nil, errDeaf()
	}
	return encoded{s}, ctx.Err()
}

func (m *manyRollouts) GetWorkflow(_ context.Context, id, _ string) client.WorkflowRun {
	unit, _ := connect.Deployment("").UnitOf(id)
	if m.results == nil {
		return fakeRun{result: m.result}
	}
	return fakeRun{result: m.results[unit]}
}

// indexedAs is a rollout of a unit as Temporal's index has it.
func indexedAs(unit, phase string) *workflowpb.WorkflowExecutionInfo {
	info := execution(isRunning)
	info.Execution.WorkflowId = connect.WorkflowID(unit)
	info.SearchAttributes.IndexedFields[connect.AttrPhase.GetName()] = payload(phase)
	return info
}

func onePage(rollouts ...*workflowpb.WorkflowExecutionInfo) []*workflowservice.ListWorkflowExecutionsResponse {
	return []*workflowservice.ListWorkflowExecutionsResponse{{Executions: rollouts}}
}

func in(phase rollout.Phase) rollout.State {
	s := *baking().State
	s.Phase = phase
	return s
}

func incident() *manyRollouts {
	paused := in(rollout.PhaseBake)
	paused.Paused = &rollout.Control{Signal: "pause", By: "ana"}
	ended := execution(isCompleted)
	ended.Execution.WorkflowId = connect.WorkflowID("done")
	ended.SearchAttributes.IndexedFields[connect.AttrPhase.GetName()] = payload("promoted")
	ended.SearchAttributes.IndexedFields[connect.AttrOutcome.GetName()] = payload("promoted")
	return &manyRollouts{
		fakeTemporal: &fakeTemporal{pages: onePage(
			indexedAs("bakes", "running"), indexedAs("stands", "running"), indexedAs("holds", "running"), // the index is late
			indexedAs("back", "rolling-back"), indexedAs("stuck", "locked"), indexedAs("deaf", "running"), ended,
		)},
		answers: map[string]rollout.State{
			"bakes": in(rollout.PhaseBake), "stands": paused, "holds": in(rollout.PhaseHold),
			"back": in(rollout.PhaseVerify), "stuck": in(rollout.PhaseLocked),
		},
	}
}

// A list says of every open rollout what status says, and only what the index says of one that does
// not answer.
func TestListAsksOpenRollouts(t *testing.T) {
	f := incident()
	got, err := (&remote{client: f}).list(t.Context(), listFilter{limit: 20})
	require.NoError(t, err)
	require.Equal(t, 6, f.asked, "one that ended is in the index as it is")
	golden(t, "list-incident", listTable(got.rows, at(0), 0, false))
	golden(t, "list-60", folded(listTable(got.rows, at(0), 60, false), 60, 0))
	require.Equal(t, 1, got.silent)
	for _, r := range got.rows {
		require.Equal(t, r.Unit != "deaf", r.heard(), r.Unit)
		require.Equal(t, r.Unit == "stands", r.paused() != nil, r.Unit)
	}
	var out, errOut bytes.Buffer
	got.notes(testConsole(&out, &errOut))
	require.Contains(t, errOut.String(), "1 rollout did not answer")
	require.Contains(t, errOut.String(), "sluice-worker")
}

// Of those that have ended a list says why, and which of them were undone on purpose.
func TestListSaysWhyRolloutsEnded(t *testing.T) {
	ended := func(unit string, as rollout.Phase) *workflowpb.WorkflowExecutionInfo {
		info := execution(isCompleted)
		info.Execution.WorkflowId = connect.WorkflowID(unit)
		info.SearchAttributes.IndexedFields[connect.AttrPhase.GetName()] = payload(string(as))
		info.SearchAttributes.IndexedFields[connect.AttrOutcome.GetName()] = payload(string(as))
		return info
	}
	because := func(as rollout.Phase, why, undoes string) rollout.State {
		s := rollout.State{Release: "2.4.1", By: "ana", Undoes: undoes, Outcome: &rollout.Outcome{Result: as, Why: why}}
		s.Enter(as, why, at(0))
		return s
	}
	f := &manyRollouts{
		fakeTemporal: &fakeTemporal{pages: onePage(
			ended("taken", rollout.PhaseUndone), ended("bad", rollout.PhaseRolledBack), ended("good", rollout.PhasePromoted), ended("lost", rollout.PhaseUndone),
		)},
		results: map[string]rollout.State{
			"taken": because(rollout.PhaseUndone, "ana undoes the rollout of 2.4.1: it loses orders (run run-0)", "run-0"),
			"bad":   because(rollout.PhaseRolledBack, "errors FAIL: exposed 3.5% vs control 0.7%", ""),
			"good":  because(rollout.PhasePromoted, "all 60 targets run 2.4.1", ""),
		},
	}
	got, err := (&remote{client: f}).list(t.Context(), listFilter{limit: 20})
	require.NoError(t, err)
	golden(t, "list-ended", listTable(got.rows, at(time.Minute), 0, false))
	data, err := json.Marshal(got.rows[0])
	require.NoError(t, err)
	require.Contains(t, string(data), `"why":"ana undoes`)
	require.Contains(t, string(data), `"undoes":"run-0"`)
	require.Zero(t, f.asked, "no worker is asked")
}

func TestListByPhase(t *testing.T) {
	for phase, want := range map[string]struct {
		query string
		units []string
	}{
		"baking":             {"SluicePhase = 'running'", []string{"bakes", "stands"}},
		"holding":            {"SluicePhase = 'holding'", []string{"holds"}},
		"paused":             {"ExecutionStatus = 'Running'", []string{"stands"}},
		"verifying-rollback": {"SluicePhase = 'rolling-back'", []string{"back"}},
		"rolling-back":       {"SluicePhase = 'rolling-back'", []string{"back"}},
		"promoted":           {"SluicePhase = 'promoted'", []string{"done"}},
		"running":            {"SluicePhase = 'running'", []string{"bakes", "stands", "holds", "deaf"}},
	} {
		f := incident()
		if phase == "running" { // the server filters by what it has
			f.pages[0].Executions = append(f.pages[0].Executions[:3:3], f.pages[0].Executions[5])
		}
		got, err := (&remote{client: f}).list(t.Context(), listFilter{limit: 20, phase: phase})
		require.NoError(t, err)
		var units []string
		for _, r := range got.rows {
			units = append(units, r.Unit)
		}
		require.Equal(t, want.units, units, phase)
		require.Contains(t, f.listed[0], want.query, phase)
	}
}

// Asking is bounded, in number and at once, whatever the fleet of rollouts.
func TestListAsksWithinBounds(t *testing.T) {
	f := &manyRollouts{fakeTemporal: &fakeTemporal{}, answers: map[string]rollout.State{}}
	var open []*workflowpb.WorkflowExecutionInfo
	for i := range 3 * maxAsked {
		unit := fmt.Sprintf("u%d", i)
		open = append(open, indexedAs(unit, "running"))
		f.answers[unit] = in(rollout.PhaseApply)
	}
	f.pages = onePage(open...)
	got, err := (&remote{client: f}).list(t.Context(), listFilter{limit: 1000})
	require.NoError(t, err)
	require.Len(t, got.rows, 3*maxAsked)
	require.Equal(t, maxAsked, f.asked)
	require.LessOrEqual(t, f.peak, askedAtOnce)
	require.Equal(t, "applying", got.rows[maxAsked-1].Phase)
	require.Equal(t, "running", got.rows[maxAsked].Phase)
	require.Equal(t, 2*maxAsked, got.unasked)

	f.pages, f.asked = onePage(open...), 0
	got, err = (&remote{client: f}).list(t.Context(), listFilter{limit: 1000, phase: "applying"})
	require.NoError(t, err)
	require.Len(t, got.rows, maxAsked, "what was not asked is not known to be in the phase")
	var out, errOut bytes.Buffer
	got.notes(testConsole(&out, &errOut))
	require.Contains(t, errOut.String(), "--unit")
}

// A list that ends before the rollouts do says so, and so does one that could not tell.
func TestListSaysWhatIsMissing(t *testing.T) {
	say := func(f *manyRollouts, filter listFilter) string {
		got, err := (&remote{client: f}).list(t.Context(), filter)
		require.NoError(t, err)
		var out, errOut bytes.Buffer
		con := testConsole(&out, &errOut)
		got.notes(con)
		if len(got.rows) == 0 {
			con.say("%s", got.none(filter))
		}
		return errOut.String()
	}
	require.Contains(t, say(incident(), listFilter{limit: 3}), "more rollouts match: --limit N shows up to N")
	require.NotContains(t, say(incident(), listFilter{limit: 7}), "--limit")
	require.Contains(t, say(incident(), listFilter{limit: 1, phase: "baking"}), "more rollouts match")

	deaf := incident()
	deaf.answers = nil
	text := say(deaf, listFilter{limit: 20, phase: "paused"})
	require.Contains(t, text, "no rollout that answered matches")
	require.NotContains(t, text, "no rollouts")
	require.Contains(t, say(incident(), listFilter{limit: 20, phase: "deciding"}), "no rollout that answered matches")

	nothing := &manyRollouts{fakeTemporal: &fakeTemporal{}}
	require.Contains(t, say(nothing, listFilter{limit: 20}), "no rollouts yet: sluice start")
	require.Contains(t, say(nothing, listFilter{limit: 20, open: true}), "no rollouts match")
}

func TestListRefusesUnknownWords(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"list", "--phase", "bakin"}, "did you mean baking?"},
		{[]string{"list", "--phase", "held"}, "expected one of planning,"},
		{[]string{"list", "--outcome", "rolledback"}, "did you mean rolled-back?"},
		{[]string{"list", "--unit", "edge*"}, "such as edge-proxy"},
	} {
		r := sluice(t, "", tc.args...)
		require.Equal(t, exitInvalid, r.code, tc.args)
		require.Contains(t, r.errOut, tc.want, tc.args)
	}
}

// A rollout that was terminated is shown so, whatever it did last.
func TestTerminatedInAList(t *testing.T) {
	info := execution(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED)
	data, err := json.Marshal(listed{(&remote{}).outside("edge-proxy", info)})
	require.NoError(t, err)
	require.Contains(t, string(data), `"phase":"terminated"`)
	require.Contains(t, string(data), `"status":"terminated"`)
}

// Times are in seconds; what only holds one stays as it is.
func TestTimesInJSON(t *testing.T) {
	var out, errOut bytes.Buffer
	con := testConsole(&out, &errOut)
	require.NoError(t, con.object(map[string]any{
		"at": time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), "zone": time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600)),
		"why": "since 2026-01-02T03:04:05.678Z",
	}))
	require.JSONEq(t, `{"at": "2026-01-02T03:04:05Z", "zone": "2026-01-02T03:04:05+01:00", "why": "since 2026-01-02T03:04:05.678Z"}`, out.String())
}
