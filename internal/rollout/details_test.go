package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
)

// No value becomes markup, a link, a cell or a line of the page in the Web UI.
func TestMarkdown(t *testing.T) {
	for in, want := range map[string]string{
		"2.4.1 größer":                      "2.4.1 größer",
		"[x](javascript:alert(1))":          `\[x\](javascript:alert(1))`,
		`\[x](http://evil)`:                 `\\\[x\](http://evil)`,
		"<img src=x>&lt;b>":                 "&lt;img src=x>&amp;lt;b>",
		"a|b\r\n| c |":                      `a\|b  \| c \|`,
		"**bold** _it_ ~~gone~~ `code`":     `\*\*bold\*\* \_it\_ \~\~gone\~\~ 'code'`,
		"# title":                           `\# title`,
		"\x1b[31m\u202etxt\u200b\u009b\x00": ` \[31m txt   `,
	} {
		require.Equal(t, want, Markdown(in), "%q", in)
	}
}

// While a stage bakes, the page says whose gate its PASS is, and where to look now.
func TestDetailsInMidBake(t *testing.T) {
	pass := health.Report{Results: []health.Result{{Check: "errors", Verdict: health.Pass, Sentence: "fine"}}}
	s := State{Unit: "edge", Phase: PhaseBake, Stage: 1, Stages: []StageState{
		{Name: "canary", DoneAt: time.Unix(9, 0), Gates: []Gate{{Decision: Promote, At: time.Unix(9, 0), Report: pass}}},
		{Name: "early", StartedAt: time.Unix(10, 0)},
	}}
	text := Details(s)
	require.Contains(t, text, "**Gate of canary: promote** at 00:00:09 UTC\n\n| check | verdict | evidence |\n| --- | --- | --- |\n| errors | PASS | fine |")
	require.Contains(t, text, "How the checks stand now: Pending Activities, or `sluice watch edge`")
	s.Phase = PhaseApply
	require.NotContains(t, Details(s), "stand now")
}

func TestBoundedIsPlainText(t *testing.T) {
	require.Equal(t, "a b c", PlainText("\x1ba\u202eb\nc\u2066"))
	require.Equal(t, "a�b", PlainText("a\xffb"))
}
