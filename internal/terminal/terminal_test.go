package terminal

import (
	"bytes"
	"encoding/json"
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

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		" a\nb\r\n":          "a | b",
		"\x1b[31mred\x1b[0m": "?[31mred?[0m",
		"a\tb\x00c\x7f":      "a b?c?",
		"\u202eevil\u200b":   "?evil?",
		"b\xffd":             "b?d",
		"héllo":              "héllo",
	} {
		require.Equal(t, want, OneLine(text, 100), "%q", text)
	}
	require.Equal(t, "aé…", OneLine("aéé", 3))
	rapid.Check(t, func(t *rapid.T) {
		text := OneLine(rapid.String().Draw(t, "text"), 20)
		require.LessOrEqual(t, len(text), 20+len("…"))
		for _, r := range text {
			require.True(t, unicode.IsPrint(r))
		}
	})
}

// What was JSON is the same JSON, and no terminal acts on any of it.
func TestWriterKeepsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := map[string]string{rapid.String().Draw(t, "key"): rapid.StringOf(rapid.RuneFrom([]rune("a\n\x1b\u009b\u202e\U000e0001\u200b\x7f\"\\é"))).Draw(t, "value")}
		var out bytes.Buffer
		enc := json.NewEncoder(Writer(&out))
		enc.SetIndent("", "\t")
		require.NoError(t, enc.Encode(in))
		for _, r := range out.String() {
			require.True(t, unicode.IsPrint(r) || r == '\n' || r == '\t', "%q", r)
		}
		var back map[string]string
		require.NoError(t, json.Unmarshal(out.Bytes(), &back))
		require.Equal(t, in, back)
	})
}

func TestWriter(t *testing.T) {
	var out bytes.Buffer
	n, err := Writer(&out).Write([]byte("a\x1b[31m\u009b\u202e\r\xff\n"))
	require.NoError(t, err)
	require.Equal(t, 14, n)
	require.Equal(t, `a\u001b[31m\u009b\u202e\u000d\ufffd`+"\n", out.String())
}
