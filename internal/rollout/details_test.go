package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// While a stage bakes, the page says whose gate its PASS is, and where to look now.
func TestDetailsInMidBake(t *testing.T) {
	pass := health.Report{Results: []health.Result{{Check: "errors", Verdict: health.Pass, Sentence: "fine"}}}
	s := State{Unit: "edge", Phase: PhaseBake, Stage: 1, Stages: []StageState{
		{Name: "canary", DoneAt: time.Unix(9, 0), Gates: []Gate{{Decision: Promote, At: time.Unix(9, 0), Report: pass}}},
		{Name: "early", StartedAt: time.Unix(10, 0), AppliedAt: time.Unix(10, 0)},
	}}
	text := Details(s)
	require.Contains(t, text, "**Gate of canary: promote** at 1970-01-01 00:00:09 UTC\n\n"+
		"| check | verdict | evidence |\n| --- | --- | --- |\n| errors | PASS | fine |")
	require.Contains(t, text, "How the checks stand now: *Pending Activities*, the heartbeat details of the watch, or sluice watch edge")
	s.Phase, s.Stages[1].AppliedAt = PhaseApply, time.Time{}
	require.NotContains(t, Details(s), "stand now")
}

func TestBoundedIsPlainText(t *testing.T) {
	require.Equal(t, "a b c", PlainText("\x1ba\u202eb\nc\u2066"))
	require.Equal(t, "a�b", PlainText("a\xffb"))
}

// The page alone says since when and until when, who paused and why, which signals had no effect,
// what is not back, and what to send next.
func TestDetailsSayAllThatAPersonNeeds(t *testing.T) {
	when := func(s int64) time.Time { return time.Unix(s, 0) }
	base := func(p Phase) State {
		return State{Unit: "edge", Phase: p, Since: when(60), Stages: []StageState{
			{Name: "canary", StartedAt: when(50), AppliedAt: when(55), BakeEnds: when(3600)}, {Name: "half", Approval: "required"},
		}}
	}
	for name, c := range map[string]struct {
		state State
		want  []string
	}{
		"bake": {base(PhaseBake), []string{
			"since 1970-01-01 00:01:00 UTC, until 1970-01-01 01:00:00 UTC", "**Next signal**: `abort`, to roll it back, with",
			`{"by": "your name", "why": "your reason"}`, "heartbeat details of the watch",
			"Also taken now, with `by` and `why`: `pause`, `promote`\n",
		}},
		"paused": {func() State {
			s := base(PhaseBake)
			s.Paused = &Control{By: "ana", Why: "*looking*", At: when(70)}
			s.Stages[0].Bake, s.Stages[0].Watched = spec.Duration(2*time.Minute), spec.Duration(40*time.Second)
			s.Controls = []Control{{
				Signal: "promote", Stage: "canary", By: "eve", Why: "now", At: when(80),
				Refused: "the rollout is paused: resume it first",
			}}
			return s
		}(), []string{
			"**Paused** by ana since 1970-01-01 00:01:10 UTC: &#42;looking&#42;", "`resume`, to go on, with", "`why`: `abort`\n", "| paused, baking; 40s of 2m watched |",
			"| promote canary | 1970-01-01 00:01:20 UTC | eve | now | **none**: the rollout is paused: resume it first |",
		}},
		"approval":     {base(PhaseApproval), []string{"`approve`, to approve half, with", `{"stage": "half", "by": "your name", "why": "your reason"}`, "passed its gate; still watched", "waits for approval"}},
		"holding":      {base(PhaseHold), []string{"`promote`, to pass this gate in your name, with", `{"stage": "canary", `}},
		"rolling back": {State{Unit: "edge", Phase: PhaseRollback, NotBack: 3, NotReverted: []TargetTrouble{{ID: "eu-07", Reason: "gone"}}}, []string{"**Next signal**: none is needed; `give-up`, to end it as it is, with", "**Not back yet: 3 of the targets**", "- eu-07: gone", "and 2 more"}},
		"locked": {State{Unit: "edge", Phase: PhaseLocked, Outcome: &Outcome{NotBack: 1, NotReverted: []TargetTrouble{{ID: "eu-07"}}}}, []string{
			"**Not reverted: 1 of the targets**", "`retry-rollback`, to have the targets tried again, or `give-up`, to end it as it is, with",
		}},
	} {
		text := Details(c.state)
		for _, w := range c.want {
			require.Contains(t, text, w, name)
		}
	}
	for text, change := range map[string]func(s *State){
		"once more; rolls back at 1970-01-01 01:00:00 UTC unless resumed": func(s *State) {
			s.Paused = &Control{By: "ana", Why: "once more", At: when(70), Until: when(3600)}
		},
		"**Waits** for the approval of half; rolls back at 1970-01-01 01:00:00 UTC unless approved": func(s *State) {
			s.Phase, s.Stages[1].ApproveBy = PhaseApproval, when(3600)
		},
		"**Left out: 2 of the targets**\n\n- eu&#45;07": func(s *State) {
			s.LeftOut, s.Unreached = 2, []TargetTrouble{{ID: "eu-07", Reason: "no answer"}, {ID: "eu-08"}}
		},
		"**Aborted** by ana at 1970-01-01 00:01:10 UTC: bad build": func(s *State) {
			s.Aborted = &Control{By: "ana", Why: "bad build", At: when(70)}
		},
		"| half | 0 → 0 | 0s | not begun |": func(s *State) { s.Phase = PhaseRollback },
		"errors recovered after the rollback": func(s *State) {
			s.Outcome = &Outcome{Result: PhaseRolledBack, Recovered: RecoveredYes, Condemned: []string{"errors"}}
		},
		"| 46 stages, w0 to w45 | → 46 | | |\n| w46 |": func(s *State) {
			s.Stages = nil
			for i := range 100 {
				s.Stages = append(s.Stages, StageState{Name: fmt.Sprint("w", i), Reach: i + 1})
			}
			s.Stage = 49
		},
	} {
		s := base(PhaseBake)
		change(&s)
		require.Contains(t, strings.ReplaceAll(Details(s), "eu-07", "eu&#45;07"), text)
	}
	ended := base(PhasePromoted)
	ended.Outcome = &Outcome{Result: PhasePromoted}
	require.NotContains(t, Details(ended), "Next signal")
	require.NotContains(t, Details(ended), "heartbeat")
}
