package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

func eventLines(before, after view) []string {
	var out []string
	for _, e := range changes(before, after, at(12*time.Minute)) {
		out = append(out, e.Kind+" "+e.line(at(12*time.Minute)))
	}
	return out
}

func TestChangesFromNothing(t *testing.T) {
	golden(t, "events-baking", eventLines(view{}, baking()))
	golden(t, "events-incomplete", eventLines(baking(), incomplete()))
}

func TestChangesAreSilentWithoutNews(t *testing.T) {
	for name, v := range views() {
		if v.running() {
			require.Empty(t, eventLines(v, v), name)
		}
	}
}

func TestChangesOfVerdictsNeedNewerEvidence(t *testing.T) {
	before, after := baking(), baking()
	bad := badReport(at(10 * time.Minute)) // older than what was known
	after.Live = &bad
	require.Empty(t, eventLines(before, after))
	bad = badReport(at(13 * time.Minute))
	after.Live = &bad
	require.Equal(t, []string{
		"verdict 10:13:00 early: errors FAIL: exposed 3.1% (412/13,290) vs control 0.4%; at least +310% worse (limit +20%)",
		`verdict 10:13:00 early: p99 NODATA: no series\x1b[2Janswered`,
	}, eventLines(before, after))
}

func TestChangesOfControlsInOneInstant(t *testing.T) {
	before, after := baking(), baking()
	one := rollout.Control{Signal: "pause", By: "ana", At: at(time.Minute)}
	two := rollout.Control{Signal: "abort", By: "bob", At: at(time.Minute)}
	b, a := *before.State, *after.State
	b.Controls, a.Controls = []rollout.Control{one}, []rollout.Control{one, two}
	before.State, after.State = &b, &a
	require.Equal(t, []string{"control 10:01:00 abort by bob"}, eventLines(before, after))
}

func TestChangesOfTrouble(t *testing.T) {
	before, after := baking(), baking()
	after.Trouble = "no worker answers"
	require.Equal(t, []string{"trouble 10:12:00 no worker answers"}, eventLines(before, after))
	require.Equal(t, []string{"trouble 10:12:00 answers again"}, eventLines(after, before))
}

func TestJSONLinesEndWithTheRollout(t *testing.T) {
	var out bytes.Buffer
	con := newConsole(nil, &out, nil, nil)
	con.now = func() time.Time { return at(12 * time.Minute) }
	require.NoError(t, jsonLines{con: con}.show(baking(), incomplete()))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, l := range lines {
		var e event
		require.NoError(t, json.Unmarshal([]byte(l), &struct {
			Kind *string `json:"event"`
		}{&e.Kind}))
		require.NotEmpty(t, e.Kind)
	}
	var end struct {
		Event   string
		Code    int
		Rollout rollout.State
	}
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &end))
	require.Equal(t, "end", end.Event)
	require.Equal(t, exitIncomplete, end.Code)
	require.Len(t, end.Rollout.Outcome.NotReverted, 2)
}

func TestViewIsTheStateWithMore(t *testing.T) {
	data, err := json.Marshal(baking())
	require.NoError(t, err)
	var s rollout.State
	require.NoError(t, json.Unmarshal(data, &s))
	require.Equal(t, *baking().State, s)
	var more map[string]any
	require.NoError(t, json.Unmarshal(data, &more))
	require.Equal(t, "run-1", more["runId"])
	require.Equal(t, true, more["heard"])
	require.NotNil(t, more["live"])
}

func TestExitCodes(t *testing.T) {
	for name, want := range map[string]int{
		"baking": exitRunning, "no-worker": exitRunning, "promoted": exitOK, "incomplete": exitIncomplete, "terminated": exitIncomplete,
	} {
		require.Equal(t, want, views()[name].exitCode(), name)
	}
	for phase, want := range map[rollout.Phase]int{
		rollout.PhaseRolledBack: 3, rollout.PhaseAborted: 4, rollout.PhaseRefused: 6, rollout.PhaseBake: exitInternal,
	} {
		require.Equal(t, want, resultCode(phase), phase)
	}
	failed := views()["terminated"]
	failed.Status = "failed"
	require.Equal(t, exitInternal, failed.exitCode())
}

// Who reads a line of a verdict sees whether it decides anything.
func TestAdvisoryVerdictsAreMarked(t *testing.T) {
	var marked []event
	for _, e := range changes(view{}, worseThanControl(), at(0)) {
		if e.Kind == "verdict" && e.Advisory {
			marked = append(marked, e)
		}
	}
	require.Len(t, marked, 1)
	require.Contains(t, marked[0].line(at(0)), "early: slow (advisory) FAIL: exposed 1% (3/300)")
	raw, err := json.Marshal(worseThanControl())
	require.NoError(t, err)
	for _, field := range []string{`"advisory":true`, `"trace":[{"exposed":{"bad":0,"total":100}`, `"against":"before"`} {
		require.Contains(t, string(raw), field)
	}
}

// While a bake goes on, the lines say what was found so far, and never PASS; a check that had found
// nothing and passes its gate has no line of its own.
func TestChangesInMidBake(t *testing.T) {
	step := func(minute int, suspicion string) view {
		v, r := baking(), goodReport(at(time.Duration(minute)*time.Minute))
		r.Results[1].Suspicion = suspicion
		r = r.MidBake(false)
		v.Live = &r
		return v
	}
	first := changes(view{}, baking(), at(0))
	for _, e := range first {
		require.NotContains(t, e.Text, "PASS", "the gate of canary words its own decision")
	}
	require.Equal(t, []string{"verdict 10:13:00 early: errors suspicious (p 0.03): exposed 0.1% (13/13,290) vs control 0.1%"},
		eventLines(baking(), step(13, "p 0.03")))
	require.Empty(t, eventLines(step(13, "p 0.03"), step(14, "p 0.01")), "still suspicious")
	require.Equal(t, []string{"verdict 10:15:00 early: errors ok so far: exposed 0.1% (13/13,290) vs control 0.1%"},
		eventLines(step(14, "p 0.01"), step(15, "")))
	gate := baking()
	passed := goodReport(at(16 * time.Minute))
	gate.Live = &passed
	require.Empty(t, eventLines(step(15, ""), gate))
	data, err := json.Marshal(changes(step(13, ""), step(14, "p 0.03"), at(0)))
	require.NoError(t, err)
	require.Contains(t, string(data), `"check":"errors","standing":"suspicious"`)
}
