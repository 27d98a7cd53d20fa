package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"
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

func TestBoundedIsPlainText(t *testing.T) {
	require.Equal(t, "a b c", PlainText("\x1ba\u202eb\nc\u2066"))
	require.Equal(t, "a�b", PlainText("a\xffb"))
}
