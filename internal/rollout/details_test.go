package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
)

// While a stage bakes, the page says whose gate its PASS is, and where to look now.
func TestDetailsInMidBake(t *testing.T) {
	pass := health.Report{Results: []health.Result{{Check: "errors", Verdict: health.Pass, Sentence: "fine"}}}
	s := State{Unit: "edge", Phase: PhaseBake, Stage: 1, Stages: []StageState{
		{Name: "canary", DoneAt: time.Unix(9, 0), Gates: []Gate{{Decision: Promote, At: time.Unix(9, 0), Report: pass}}},
		{Name: "early", StartedAt: time.Unix(10, 0)},
	}}
	text := Details(s)
	require.Contains(t, text, "**Gate of canary: promote** at 00:00:09 UTC\n\n| check | verdict | evidence |\n| --- | --- | --- |\n| errors | PASS | fine |")
	require.Contains(t, text, "How the checks stand now: Pending Activities, or sluice watch edge")
	s.Phase = PhaseApply
	require.NotContains(t, Details(s), "stand now")
}

func TestBoundedIsPlainText(t *testing.T) {
	require.Equal(t, "a b c", PlainText("\x1ba\u202eb\nc\u2066"))
	require.Equal(t, "a�b", PlainText("a\xffb"))
}
