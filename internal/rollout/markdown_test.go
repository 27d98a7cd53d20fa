package rollout

import (
	stdhtml "html"
	"strings"
	"testing"
	"unicode"

	"github.com/gomarkdown/markdown"
	"github.com/gomarkdown/markdown/html"
	"github.com/gomarkdown/markdown/parser"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// rendered is a page as the server of Temporal's Web UI renders it.
func rendered(page string) string {
	p := parser.NewWithExtensions(parser.CommonExtensions | parser.AutoHeadingIDs)
	return string(markdown.Render(p.Parse([]byte(page)), html.NewRenderer(html.RendererOptions{Flags: html.CommonFlags | html.HrefTargetBlank})))
}

// shownAsItIs checks that a value is text and nothing else: on a line of its own, in the middle of
// one, in a list and in a cell.
func shownAsItIs(t require.TestingT, value string) {
	want := printable(value)
	for around, plain := range map[string]string{
		"%s\n\n":      "<p>%s</p>",
		"a %s b\n\n":  "<p>a %s b</p>",
		"- %s\n\n":    "<ul><li>%s</li></ul>",
		"- a: %s\n\n": "<ul><li>a: %s</li></ul>",
		"| a | b |\n| --- | --- |\n| %s | x |\n\n": "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>%s</td><td>x</td></tr></tbody></table>",
	} {
		got := rendered(strings.Replace(around, "%s", Markdown(value), 1))
		got = strings.NewReplacer(">\n", ">", "\n<", "<").Replace(strings.TrimSpace(strings.ReplaceAll(got, "\n\n", "\n")))
		got = strings.NewReplacer("&ldquo;", `"`, "&rdquo;", `"`, "&lsquo;", "'", "&rsquo;", "'").Replace(got)
		got = strings.Join(strings.Fields(stdhtml.UnescapeString(got)), " ")
		require.Equal(t, strings.Join(strings.Fields(strings.Replace(plain, "%s", want, 1)), " "), got, "%q in %q", value, around)
	}
}

// printable is what can be shown of a value.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// No value becomes markup, a link, a cell or a line of the page in the Web UI, nor is a command
// made typographic.
func TestMarkdown(t *testing.T) {
	for _, value := range []string{
		"2.4.1 größer", "[x](javascript:alert(1))", `\[x\](http://evil)`, "<img src=x>&lt;b>&amp;", "a|b\r\n| c |",
		"**bold** _it_ ~~gone~~ `code`", "# title", "\x1b[31m\u202etxt\u200b\u009b\x00", "status 500: https://evil.example/x?a=b",
		"www.evil.example", "mailto:a@evil.example", "ftp://x.y", "sluice give-up edge --why …", "a---b", "wait...", `say "no" or 'no'`,
		"1/2 of 3/149 (c) (tm) (R)", "$x$ a^b^ H~2~O", "- a", "+ a", "1. a", "12) a", "> a", "=====", "-----", ": a", "a\n: b", "![x](y)", "{#id}", "x {.c}",
		"http:/\\/evil.example", "://", "HTTP://EVIL.EXAMPLE", "é--x", "[^1]", "[ ] a", "```", "<http://evil.example>", "&#45;&#45;",
	} {
		shownAsItIs(t, value)
	}
	require.Equal(t, "2.4.1 größer: 3% of web-1, why? a/b;", Markdown("2.4.1 größer: 3% of web-1, why? a/b;"), "most text stays readable in the source")
}

func TestMarkdownOfAnything(t *testing.T) {
	pieces := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{"http://", "https:", "//", "www.", "mailto:", "--", "...", "1/2", "(c", ")", " ", "\n", "|", "`", "*", "_", "a", "1", "."}),
		rapid.StringN(1, 3, -1),
	), 1, 8)
	rapid.Check(t, func(t *rapid.T) {
		value := strings.Join(pieces.Draw(t, "pieces"), "")
		if printable(value) == "" {
			t.Skip()
		}
		shownAsItIs(t, value)
	})
}
