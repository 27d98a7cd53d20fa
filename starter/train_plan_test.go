package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/train"
)

// begun is a train in which each release has begun so many stages of two, and has passed so many; 0
// of 0 waits.
func begun(t *testing.T, stages ...[2]int) train.Ledger {
	t.Helper()
	var l train.Ledger
	for i, st := range stages {
		var err error
		l, _, _, err = l.Submit(train.Submission{Release: string(rune('a' + i))})
		require.NoError(t, err)
		o := &l.Open[i]
		o.Plan, o.Stages, o.Reserved, o.Granted, o.Passed = "p", 2, st[0], st[0], st[1]
		o.Wants = st[0] == st[1]
	}
	return l
}

func TestPlaceInATrain(t *testing.T) {
	cut := train.Cut{Order: []string{"x", "y"}, To: []int{1, 2}}
	all := func(l train.Ledger) map[train.Number]train.Cut {
		out := map[train.Number]train.Cut{}
		for _, o := range l.Open {
			out[o.Number] = cut
		}
		return out
	}
	barred := train.Ledger{Barred: []train.Barred{{Release: "new", Number: 2, By: 1}}}
	after := train.Ledger{Hold: &train.Hold{Why: "rollout 1 went back", After: 1}}
	person := train.Ledger{Hold: &train.Hold{Why: "held by ann: an incident"}}
	back := begun(t, [2]int{1, 0})
	back, _ = back.Hear(train.RolloutReport{Number: 1, Seq: 1, Plan: "p", Stages: 2, GoesBack: true})
	for name, c := range map[string]struct {
		ledger train.Ledger
		want   placed
	}{
		"empty":               {train.Ledger{}, placed{}},
		"behind one a stage":  {begun(t, [2]int{2, 1}), placed{}},
		"same stage":          {begun(t, [2]int{1, 0}), placed{Waits: "rollout 1 is still in a stage with these targets"}},
		"one waits, too":      {begun(t, [2]int{1, 0}, [2]int{0, 0}), placed{Waits: "rollout 1 is still in a stage with these targets", Supersedes: []train.Number{2}}},
		"condemned":           {barred, placed{Refused: "the release was taken back before: rollout 2 of new was withdrawn with rollout 1"}},
		"ends a hold":         {after, placed{EndsHold: "rollout 1 went back"}},
		"a person's hold":     {person, placed{Waits: "the unit is held: held by ann: an incident"}},
		"while one goes back": {back, placed{Waits: "rollout 1 goes back", EndsHold: "rollout 1 went back; a newer release ends that"}},
	} {
		got := place(c.ledger, "edge", train.Submission{Release: "new"}, cut, all(c.ledger))
		got.Ahead = nil
		require.Equal(t, c.want, got, name)
	}
	unknown := place(begun(t, [2]int{1, 0}), "edge", train.Submission{Release: "new"}, cut, nil)
	require.Equal(t, "its plan is compared with that of rollout 1", unknown.Waits)
	require.Equal(t, []string{
		"under way: edge:1 a in stage 1", "would wait for its first stage: its plan is compared with that of rollout 1", "see them: sluice train edge",
	}, unknown.lines("edge"))
}
