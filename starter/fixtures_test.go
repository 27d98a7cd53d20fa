package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares lines with a file of testdata.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test -update ./starter/ to make it")
	require.Equal(t, string(want), got)
}

// at is a moment of the rollout of the fixtures, so long after its start.
func at(d time.Duration) time.Time {
	return time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC).Add(d)
}

func number(v float64) *float64 { return &v }

func minutes(n int) spec.Duration { return spec.Duration(time.Duration(n) * time.Minute) }

// goodReport is a report in which every check passes.
func goodReport(when time.Time) health.Report {
	return health.Report{At: when, Results: []health.Result{
		{Check: "alive", Verdict: health.Pass, Sentence: "3 of 3 targets are alive and run 2.4.1"},
		{
			Check: "errors", Verdict: health.Pass, Sentence: "errors: exposed 0.1% (13/13,290) vs control 0.1%",
			Value: number(0.001), Limit: number(0.012), Samples: 13290,
			Queries: []string{`sum(increase(http_requests_total{code=~"5.."}[5m]))`}, Warnings: []string{"series was truncated"},
		},
		{Check: "p99", Verdict: health.Pass, Sentence: "0.12 is at most 0.4", Value: number(0.12), Limit: number(0.4)},
	}}
}

// badReport is a report with harm, a check without data, and a hostile sentence.
func badReport(when time.Time) health.Report {
	r := goodReport(when)
	r.Results[1].Verdict, r.Results[1].Value = health.Fail, number(0.031)
	r.Results[1].Sentence = "exposed 3.1% (412/13,290) vs control 0.4%; at least +310% worse (limit +20%)"
	r.Results[2] = health.Result{Check: "p99", Verdict: health.NoData, Sentence: "no series\x1b[2Janswered"}
	return r
}

// baking is a rollout in the middle of its second stage.
func baking() view {
	s := rollout.State{
		Unit: "edge-proxy", Release: "2.4.1", By: "ana@laptop", Plan: "sha256:abc", Fence: 42,
		StartedAt: at(0), Phase: rollout.PhaseBake, Why: "watching early for 15m", Stage: 1, Targets: 60, Exposed: 12,
		Stages: []rollout.StageState{
			{
				Name: "canary", Cohort: 3, Reach: 3, Bake: minutes(5), Changed: 2, Already: 1,
				StartedAt: at(time.Second), MeasuredAt: at(2 * time.Second), AppliedAt: at(3 * time.Second),
				BakeEnds: at(5*time.Minute + 3*time.Second), DoneAt: at(5*time.Minute + 4*time.Second),
				Gates: []rollout.Gate{{
					Decision: rollout.Promote, Why: "every check passes",
					At: at(5*time.Minute + 4*time.Second), Report: goodReport(at(5*time.Minute + 4*time.Second)),
				}},
			},
			{
				Name: "early", Cohort: 9, Reach: 12, Bake: minutes(15), Changed: 9,
				StartedAt: at(5*time.Minute + 4*time.Second), AppliedAt: at(5*time.Minute + 10*time.Second), BakeEnds: at(20*time.Minute + 10*time.Second),
			},
			{Name: "half", Cohort: 18, Reach: 30, Bake: minutes(30), Approval: spec.ApprovalRequired},
			{
				Name: "everyone", Cohort: 30, Reach: 60, Bake: minutes(30), Approval: spec.ApprovalRequired,
				ApprovedBy: &rollout.Control{Signal: "approve", By: "bob", At: at(time.Minute), Why: "board"},
			},
		},
	}
	live := goodReport(at(11 * time.Minute)).MidBake(false)
	v := view{
		Unit: "edge-proxy", WorkflowID: "rollout:edge-proxy", RunID: "run-1", Status: statusRunning, StartedAt: at(0),
		URL: "http://127.0.0.1:8233/namespaces/default/workflows/rollout:edge-proxy/run-1", State: &s, Live: &live,
	}
	return v.inside()
}

// finish ends a rollout.
func finish(v view, o rollout.Outcome) view {
	s := *v.State
	s.Phase, s.Why, s.Outcome = o.Result, o.Why, &o
	v.State, v.Live, v.Status, v.ClosedAt = &s, nil, "completed", o.EndedAt
	return v.inside()
}

// worseThanControl is a rollout that went back because of a comparison, while another one only
// advised.
func worseThanControl() view {
	v := baking()
	s := *v.State
	s.Stages = append([]rollout.StageState{}, s.Stages...)
	report := goodReport(s.Stages[1].AppliedAt.Add(2 * time.Minute))
	report.Results[1] = health.Result{
		Check: "errors", Verdict: health.Fail, Value: number(7.2), Limit: number(1.2), Samples: 800, Against: spec.AgainstControl, Trace: rising(8),
		Sentence: "exposed 3.5% (28/800) vs control 0.7% (56/8,000): 7.2 times the usual, 1.2 allowed; chance does this in less than 0.01% of bakes",
	}
	report.Results[2] = health.Result{
		Check: "slow", Verdict: health.Fail, Value: number(3), Limit: number(1.2), Samples: 300, Against: spec.AgainstBefore, Trace: rising(3), Advisory: true,
		Sentence: "exposed 1% (3/300) vs before the change 0.7% (21/3,000): 3 times the usual, 1.2 allowed; chance does this in less than 0.09% of bakes",
	}
	s.Stages[1].Gates = []rollout.Gate{{Decision: rollout.RollBack, Why: "errors FAIL: " + report.Results[1].Sentence, At: report.At, Report: report}}
	v.State = &s
	return finish(v, rollout.Outcome{
		Result: rollout.PhaseRolledBack, Why: "errors FAIL: " + report.Results[1].Sentence, Stage: "early",
		Touched: 12, Reverted: 12, Back: []rollout.Back{{Release: "2.3.9", Targets: 1}, {Release: "2.4.0", Targets: 11}},
		Recovered: "yes", EndedAt: at(9 * time.Minute),
	})
}

// incomplete is a rollout that went back and left two targets behind.
func incomplete() view {
	v := baking()
	s := *v.State
	s.Stages = append([]rollout.StageState{}, s.Stages...)
	gate := badReport(at(12 * time.Minute))
	s.Stages[1].Gates = []rollout.Gate{{Decision: rollout.RollBack, Why: "errors: FAIL", At: gate.At, Report: gate}}
	s.Controls = []rollout.Control{
		{Signal: "pause", By: "ana", Why: "looking", At: at(6 * time.Minute)},
		{Signal: "promote", By: "eve\x1b]0;x\a", Why: "now", Stage: "early", At: at(7 * time.Minute), Refused: "the rollout is paused: resume it first"},
	}
	v.State = &s
	after := goodReport(at(14 * time.Minute))
	return finish(v, rollout.Outcome{
		Result: rollout.PhaseIncomplete, Why: "errors: FAIL", Stage: "early", Touched: 11, Reverted: 9,
		NotReverted: []rollout.TargetTrouble{{ID: "ams-01", Reason: "connection refused"}, {ID: "fra-07", Reason: "answers\nnonsense"}},
		Recovered:   "no", Recovery: &after, EndedAt: at(15 * time.Minute),
	})
}
