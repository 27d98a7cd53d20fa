package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestFold(t *testing.T) {
	for name, test := range map[string]struct {
		line string
		most int
		want []string
	}{
		"short":         {"a line", 0, []string{"a line"}},
		"words":         {"one two three four five six seven eight nine", 0, []string{"one two three four five six", "  seven eight nine"}},
		"a branch":      {"├─ ● early  +9 → 12 (20%)  bake 15m", 0, []string{"├─ ● early  +9 → 12 (20%)", "│    bake 15m"}},
		"the last":      {"└─ ○ everyone  +30 → 60 (100%)  bake 30m", 0, []string{"└─ ○ everyone  +30 → 60", "     (100%)  bake 30m"}},
		"below a stage": {"│    · errors  ok so far  0.1% is fine", 0, []string{"│    · errors  ok so far", "│      0.1% is fine"}},
		"a link":        {"http://127.0.0.1:8233/namespaces/default/workflows", 0, []string{"http://127.0.0.1:8233/namespaces/default/workflows"}},
		"bounded":       {"one two three four five six seven eight nine ten eleven twelve", 2, []string{"one two three four five six", "  seven eight nine ten…"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, fold(test.line, 28, test.most)) })
	}
}

// What is folded fits, and says the same words.
func TestFoldKeepsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-zé]{0,8}`), 1, 30).Draw(t, "words"), " ")
		width := rapid.IntRange(24, 60).Draw(t, "width")
		rows := fold(line, width, 0)
		for _, r := range rows {
			require.LessOrEqual(t, ansi.StringWidth(r), width)
		}
		require.Equal(t, strings.Fields(line), strings.Fields(strings.Join(rows, " ")))
	})
}

// Every screen fits into 60 cells, but for links and paths.
func TestScreensOf60Cells(t *testing.T) {
	now := at(12 * time.Minute)
	for name, v := range views() {
		for screen, lines := range map[string][]string{
			"tree": tree(v, now, 60, true), "explain": explanation(v, false, now, 60, true), "list": listTable([]listed{{v}}, now, 60, true),
			"overview": overviewLines([]glance{glanceAt(v, now)}, "trouble with a long name that is told in many words", now, 60, true),
		} {
			for _, l := range folded(lines, 60, 0) {
				require.True(t, ansi.StringWidth(l) <= 60 || !strings.Contains(strings.TrimSpace(ansi.Strip(l)), " "), "%s of %s: %s", screen, name, l)
			}
		}
	}
}

// Where the screen is low, long lines are cut before stages are.
func TestFitCutsLongLinesFirst(t *testing.T) {
	long := strings.Repeat("word ", 60)
	require.Len(t, fit([]string{"a", long, long, "b"}, 60, 40), 2+2*6)
	require.Len(t, fit([]string{"a", long, long, "b"}, 60, 10), 2+2*3)
	require.Equal(t, []string{"a", long, long, "b"}, fit([]string{"a", long, long, "b"}, 60, 5))
}

// manyWaves is a rollout with 100 stages, in the 50th.
func manyWaves(current int) view {
	v := baking()
	s := *v.State
	s.Stages, s.Targets, s.Stage = nil, 1000, current
	for i := range 100 {
		st := rollout.StageState{Name: fmt.Sprintf("wave-%d", i+1), Cohort: 10, Reach: 10 * (i + 1), Bake: spec.Duration(time.Minute)}
		if i == 60 || i == 70 {
			st.Approval = spec.ApprovalRequired
		}
		if i < current {
			st.StartedAt, st.DoneAt = at(0), at(time.Minute)
		}
		if i == 3 && i < current {
			st.Gates = []rollout.Gate{{Decision: rollout.Promote, Override: &rollout.Control{By: "ana", Why: "seen"}}}
		}
		s.Stages = append(s.Stages, st)
	}
	s.Stages[current].StartedAt, s.Stages[current].AppliedAt, s.Stages[current].BakeEnds = at(10*time.Minute), at(10*time.Minute), at(13*time.Minute)
	v.State = &s
	return v.inside()
}

func TestManyStagesFold(t *testing.T) {
	golden(t, "tree-many", tree(manyWaves(49), at(12*time.Minute), 0, false))
	for current, want := range map[int][2]int{0: {0, 7}, 4: {0, 11}, 5: {2, 12}, 49: {46, 56}, 92: {89, 100}, 99: {96, 100}} {
		from, to := manyWaves(current).State.Shown()
		require.Equal(t, want, [2]int{from, to}, current)
	}
}
