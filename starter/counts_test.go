package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// The last stage and the outcome say the same of how many targets were reached.
func TestStageAndOutcomeAgree(t *testing.T) {
	s := rollout.State{Targets: 8, Stages: []rollout.StageState{{Name: "everyone", Reach: 8, Reached: 7, LeftOut: 1, DoneAt: time.Unix(9, 0)}}}
	require.Equal(t, "stage everyone passed: 7 of 8 targets reached (88%), 1 left out", stageChanges(rollout.State{}, s)[0].Text)
	o := rollout.Outcome{
		Result: rollout.PhasePromoted, Why: "7 of 8 targets run 2, 1 left out",
		Unreached: []rollout.TargetTrouble{{ID: "t1"}}, LeftOut: 1,
	}
	require.Equal(t, "promoted: 7 of 8 targets run 2, 1 left out; left out: t1", outcomeText(o))
}

// Lists that a state has no room for still count.
func TestCountsOfCrowds(t *testing.T) {
	some := []rollout.TargetTrouble{{ID: "a", Reason: "x"}, {ID: "b"}}
	o := rollout.Outcome{Result: rollout.PhaseIncomplete, Why: "why", Touched: 9000, NotReverted: some, NotBack: 9000}
	require.Contains(t, outcomeText(o), "NOT reverted 9000: a (x), b and 8998 more")
	text := strings.Join(outcomeLines(o, 2, false), "\n")
	require.Contains(t, text, "  not reverted: a x\n  not reverted: b \n  and 8998 more not reverted: see the results of the activities")
	text = strings.Join(outcomeLines(o, 1, false), "\n")
	require.Contains(t, text, "and 8999 more not reverted: sluice explain names those")
	text = strings.Join(troubleLines("left out", some, 3, maxTroubles, paint(false).yellow), "\n")
	require.Contains(t, text, "and 1 more left out: see the results")
}
