package terminal

import (
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSafe(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":      {"2.4.1 größer ✓", "2.4.1 größer ✓"},
		"escape":     {"\x1b[2Jgone", `\x1b[2Jgone`},
		"c1":         {"a\u009bb", `a\x9bb`},
		"line feed":  {"a\nb\tc\r", `a\nb\tc\r`},
		"bidi":       {"a\u202eb", `a\u202eb`},
		"zero width": {"a\u200bb", `a\u200bb`},
		"invalid":    {"a\xffb", `a\xffb`},
		"replaced":   {"a\uFFFDb", "a\uFFFDb"},
		"bell":       {"\a\x7f", `\x07\x7f`},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Safe(c.in)) })
	}
}

func TestSafeIsPrintableAndStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "in"))
		out := Safe(in)
		for _, r := range out {
			require.True(t, unicode.IsPrint(r), "%q", r)
		}
		require.Equal(t, out, Safe(out))
	})
}

func TestLines(t *testing.T) {
	require.Equal(t, "a\nb\\x1b\nc\\rd", Lines("a\r\nb\x1b\nc\rd"))
}
