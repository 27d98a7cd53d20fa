package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/backtest"
	"github.com/sluicehq/sluice/internal/health"
)

func TestPastTime(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2h": now.Add(-2 * time.Hour), "0s": now, "-90m": now.Add(-90 * time.Minute), "2026-02-28T12:00:00Z": now.AddDate(0, 0, -1),
	} {
		got, err := pastTime("--from", text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, says := range map[string]string{
		"yesterday": `--from "yesterday" is not a time`, "": `--from "" is not a time`, "2026-03-02T12:00:00Z": "is in the future",
	} {
		_, err := pastTime("--from", text, now)
		require.ErrorContains(t, err, says, text)
	}
}

func TestBacktestInWords(t *testing.T) {
	out := tested{Unit: "edge", Rate: 0.001, Checks: []testedCheck{
		{VerdictCount: backtest.VerdictCount{Stage: "canary", Check: "errors", Group: "eu", Rate: 0.0005, Bakes: 47, Passed: 46, Failed: 1, Apart: 47, Low: 0.0038, High: 0.111}, Worst: []testedMoment{
			{At: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), Verdict: string(health.Fail), Seconds: 45, Evidence: "exposed 8%"},
		}},
		{VerdictCount: backtest.VerdictCount{Stage: "all", Check: "errors", Rate: 0.0005, High: 1, Why: "the query found no series"}},
	}}
	text := strings.Join(out.text(false), "\n")
	require.Contains(t, text, "0.1% of healthy releases may be rolled back")
	require.Contains(t, text, "rolled back at 2026-03-01T10:00:00Z by errors eu of canary, after 45 s: exposed 8%")
	require.Contains(t, text, "unknown for errors of all: the query found no series")
	require.Contains(t, text, "at 0.1% a rollout, 1 of 47 bakes would have been rolled back")
	out.Checks[0].Failed, out.Checks[0].Worst[0].Verdict = 0, string(health.Pass)
	text = strings.Join(out.text(false), "\n")
	require.Contains(t, text, "at 0.1% a rollout, 0 of 47 bakes would have been rolled back")
	require.Contains(t, text, "the nearest to it by errors eu of canary: at 2026-03-01T10:00:00Z, exposed 8%")
	require.Contains(t, text, "too few to tell 0.05% from none: that takes 5,990 of a check")
	require.NotContains(t, text, "overlap")
	out.Checks[0].Apart = 12.7
	require.Contains(t, strings.Join(out.text(false), "\n"), "bakes overlap: they tell as much as 12 beside")
	out.Checks[0].Unknown, out.Checks[0].Unexercised = 47, 40
	text = strings.Join(out.text(false), "\n")
	require.Contains(t, text, "none of 47 bakes could be judged")
	require.Contains(t, text, "85%")
	out.Checks = out.Checks[1:]
	require.Contains(t, strings.Join(out.text(false), "\n"), "knows nothing of that time")
	out.Checks[0].Why = ""
	require.Contains(t, strings.Join(out.text(false), "\n"), "no moment could be tested")
}
