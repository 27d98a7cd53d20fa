package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
)

// views are rollouts in the states that people meet.
func views() map[string]view {
	paused := baking()
	ps := *paused.State
	ps.Stages = append([]rollout.StageState{}, ps.Stages...)
	ps.Paused = &rollout.Control{Signal: "pause", By: "ana", Why: "wait for the other team", At: at(10 * time.Minute)}
	ps.Stages[1].BakeEnds = time.Time{}
	paused.State = &ps

	holding := baking()
	hs := *holding.State
	hs.Phase, hs.Why = rollout.PhaseHold, "p99: NODATA; rolls back in 3m unless that changes"
	report := badReport(at(11 * time.Minute))
	report.Results[1] = goodReport(at(0)).Results[1]
	report.Results[1].Suspicion = "p 0.03"
	report = report.MidBake(false)
	holding.State, holding.Live = &hs, &report
	holding = holding.inside()

	deaf := baking()
	deaf.State, deaf.Live, deaf.Trouble = nil, nil, "no worker answers; the rollout goes on when one is back"
	deaf.Release, deaf.By, deaf.Phase, deaf.Stage = "2.4.1", "ana@laptop", "running", "early"

	terminated := deaf
	terminated.Status, terminated.ClosedAt = "terminated", at(9*time.Minute)
	terminated.Trouble = resultTrouble(view{Status: "terminated"}, errors.New("terminated"))

	promoted := baking()
	gs := *promoted.State
	gs.Stages = append([]rollout.StageState{}, gs.Stages...)
	for i := range gs.Stages {
		gs.Stages[i].StartedAt, gs.Stages[i].DoneAt = at(time.Duration(i)*time.Minute), at(time.Duration(i+1)*time.Minute)
		gs.Stages[i].ApprovedBy = &rollout.Control{By: "bob", At: at(time.Minute)}
	}
	gs.Stages[3].Gates = []rollout.Gate{{
		Decision: rollout.Promote, Why: "promoted by bob", At: at(4 * time.Minute), Report: badReport(at(4 * time.Minute)),
		Override: &rollout.Control{By: "bob", Why: "urgent"},
	}}
	gs.Stage, gs.Exposed = 3, 60
	promoted.State = &gs
	promoted = finish(promoted, rollout.Outcome{
		Result: rollout.PhasePromoted, Why: "all 60 targets run 2.4.1", Touched: 60, EndedAt: at(4 * time.Minute),
	})

	planning := baking()
	planning.State = &rollout.State{
		Unit: "edge-proxy", Release: "2.4.1", By: "ana@laptop", StartedAt: at(0),
		Phase: rollout.PhasePlanning, Why: "cutting the fleet into cohorts",
	}
	planning.Live = nil
	planning = planning.inside()

	return map[string]view{
		"baking": baking(), "paused": paused, "holding": holding, "no-worker": deaf, "terminated": terminated,
		"incomplete": incomplete(), "compared": worseThanControl(), "promoted": promoted, "planning": planning,
	}
}

func TestTreeGolden(t *testing.T) {
	for name, v := range views() {
		t.Run(name, func(t *testing.T) {
			lines := tree(v, at(12*time.Minute), 0, false)
			golden(t, "tree-"+name, lines)
			colored := tree(v, at(12*time.Minute), 0, true)
			require.Equal(t, lines, stripped(colored), "colours change nothing else")
		})
	}
}

func TestExplanationGolden(t *testing.T) {
	for name, v := range views() {
		t.Run(name, func(t *testing.T) {
			golden(t, "explain-"+name, explanation(v, name == "incomplete", at(12*time.Minute), 0, false))
		})
	}
}

func stripped(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = ansi.Strip(l)
	}
	return out
}

// TestNothingControlsTheTerminal plants control characters in every text that a rollout, a target
// or a person can set.
func TestNothingControlsTheTerminal(t *testing.T) {
	const evil = "\x1b[31mx\r\n\u202e\u009b"
	v := incomplete()
	s := v.State
	s.Unit, s.Release, s.By, s.Why, s.Plan = evil, evil, evil, evil, evil
	v.Unit, v.Release, v.By, v.Trouble, v.Phase = evil, evil, evil, evil, evil
	s.Paused = &rollout.Control{By: evil, Why: evil}
	for i := range s.Stages {
		s.Stages[i].Name, s.Stages[i].ApprovedBy = evil, &rollout.Control{By: evil, Why: evil}
	}
	s.Controls[0].By, s.Controls[0].Why, s.Controls[0].Refused, s.Controls[0].Stage, s.Controls[0].Signal = evil, evil, evil, evil, evil
	s.Unreached, s.Outcome.Unreached = []rollout.TargetTrouble{{ID: evil, Reason: evil}}, []rollout.TargetTrouble{{ID: evil, Reason: evil}}
	s.Preflight, s.Outcome.GaveUp = &rollout.Gate{Decision: evil, Why: evil}, &rollout.Control{By: evil, Why: evil}
	s.Phase, s.Outcome.Result, v.Status, v.URL = evil, evil, evil, evil
	s.Outcome.Why, s.Outcome.Stage, s.Outcome.NotReverted[0].ID, s.Outcome.NotReverted[0].Reason = evil, evil, evil, evil
	s.Outcome.Back = []rollout.Back{{Release: evil, Targets: s.Outcome.Reverted}}
	g := &s.Stages[1].Gates[0]
	g.Why, g.Override = evil, &rollout.Control{By: evil, Why: evil}
	g.Report.Results[0] = health.Result{Check: evil, Verdict: evil, Sentence: evil, Queries: []string{evil}, Warnings: []string{evil}}
	var lines []string
	lines = append(lines, tree(v, at(0), 0, false)...)
	lines = append(lines, explanation(v, true, at(0), 0, false)...)
	for _, e := range changes(view{}, v, at(0)) {
		lines = append(lines, e.line(at(0)))
	}
	lines = append(lines, introduction(v, at(0)))
	lines = append(lines, listTable([]listed{{view{Unit: evil, Release: evil, Phase: evil, Stage: evil, Outcome: evil, By: evil}}}, at(0), 0, false)...)
	for _, l := range lines {
		require.Equal(t, terminal.Safe(l), l)
	}
	var out strings.Builder
	con := &console{out: &out, json: true, now: func() time.Time { return at(0) }}
	require.NoError(t, con.object(v))
	require.NoError(t, jsonLines{con}.show(view{}, v))
	require.Contains(t, out.String(), `\u001b[31mx`)
	for _, l := range strings.Split(out.String(), "\n") {
		require.Equal(t, terminal.Safe(l), l)
	}
}

func TestScreenFitsAndRedraws(t *testing.T) {
	var out strings.Builder
	s := screen{out: &out, size: func() (int, int) { return 10, 5 }}
	require.NoError(t, s.draw([]string{"1", "2 is longer than ten", "3", "4", "5", "last"}))
	require.Equal(t, []string{"1", "2 is long…", "… 3 lines…", "last"}, s.drawn, "a row is left for the cursor")
	out.Reset()
	require.NoError(t, s.draw([]string{"a"}))
	require.Contains(t, out.String(), ansi.CursorUp(4))
	out.Reset()
	require.NoError(t, s.finish([]string{"a", "b"}))
	require.Contains(t, out.String(), ansi.ShowCursor)
	require.Contains(t, out.String(), ansi.CursorUp(1))
}

func TestFitLeavesTheLinkWhole(t *testing.T) {
	link := "http://127.0.0.1" // wraps into two rows
	require.Equal(t, []string{"1", "… 3 lines…", link}, clipToScreen([]string{"1", "2", "3", "4", link}, 10, 5))
	require.Equal(t, []string{"1", link}, clipToScreen([]string{"1", link}, 10, 5))
	require.Empty(t, clipToScreen(nil, 10, 5))
}

func TestScreenThatBecameNarrower(t *testing.T) {
	var out strings.Builder
	width := 10
	s := screen{out: &out, size: func() (int, int) { return width, 24 }}
	require.NoError(t, s.draw([]string{"1234567890", "1"}))
	width = 5
	out.Reset()
	require.NoError(t, s.draw([]string{"1"}))
	require.Contains(t, out.String(), ansi.CursorUp(3), "the first line has wrapped into two rows")
}

func TestNumbers(t *testing.T) {
	for want, r := range map[string]health.Result{
		"–":                 {},
		"3.1%":              {Value: number(.031), Samples: 10},
		"3.1% (limit 5%)":   {Value: number(.031), Limit: number(.05), Samples: 10},
		"0.12 (limit 0.4)":  {Value: number(.12), Limit: number(.4)},
		"574.7 (limit 585)": {Value: number(574.7), Limit: number(585), Samples: 1153},
		"0.5 (limit 585)":   {Value: number(.5), Limit: number(585), Samples: 3},
	} {
		require.Equal(t, want, numbers(r))
	}
}

func TestWords(t *testing.T) {
	require.Equal(t, "99%", share(599, 600))
	require.Equal(t, "100%", share(600, 600))
	require.Equal(t, "0.17%", share(1, 600))
	require.Equal(t, "0%", share(0, 600))
	require.Equal(t, "0%", share(0, 0))
	require.Equal(t, "<1s", span(time.Millisecond))
	require.Equal(t, "0s", span(-time.Hour))
	require.Equal(t, "1h30m", span(90*time.Minute))
	require.Equal(t, "██░░", bar(.5, 4))
	require.Equal(t, "████", bar(7, 4))
	require.Equal(t, "░░░░", bar(-1, 4))
	require.Equal(t, []string{"a    b", "ccc  d"}, columns([][]string{{"a", "b"}, {"ccc", "d"}}))
}

// A stage that never began, and the stages of what is undone, are not shown as if they had gone
// back.
func TestStagesThatNeverBegan(t *testing.T) {
	v := baking()
	s := *v.State
	s.Stages = []rollout.StageState{{Name: "canary", Cohort: 2, Reach: 2}, {Name: "everyone", Cohort: 58, Reach: 60}}
	s.Stage, s.Exposed = 0, 0
	v.State = &s
	o := rollout.Outcome{Result: rollout.PhaseRefused, Why: "1 of 60 targets cannot run 2.4.1: a no; nothing was changed", EndedAt: at(time.Minute)}
	refused := finish(v, o)
	text := ansi.Strip(strings.Join(tree(refused, at(time.Hour), 0, false), "\n"))
	require.NotContains(t, text, "✗")
	require.Regexp(t, `○ canary +\+2 → 2 \(3%\) +bake 0s +not begun`, text)
	require.NotContains(t, ansi.Strip(strings.Join(explanation(refused, false, at(time.Hour), 0, false), "\n")), "at stage")
	require.Empty(t, refused.Stage)

	s.Undoes = "run-0"
	o.Result, o.Why, o.Touched, o.Reverted = rollout.PhaseUndone, "ana undoes the rollout of 2.4.1: no", 60, 60
	undone := finish(v, o)
	for _, lines := range [][]string{tree(undone, at(time.Hour), 0, false), explanation(undone, false, at(time.Hour), 0, false)} {
		require.NotContains(t, ansi.Strip(strings.Join(lines, "\n")), "canary")
	}
	require.NotContains(t, rollout.Details(*undone.State), "canary")
}
