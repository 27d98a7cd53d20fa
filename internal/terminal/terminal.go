// Package terminal makes text from elsewhere safe to show to a person.
package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe answers s with everything escaped that could move the cursor, change
// colours, end the line or reorder what is shown: control characters, invalid
// UTF-8, and invisible formatting such as bidirectional overrides. It is for text
// within a line; what is shown is unambiguous, but not meant to be parsed back.
func Safe(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmless(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Lines is Safe for text of several lines: line feeds stay, and a carriage return
// before one is dropped.
func Lines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = Safe(l)
	}
	return strings.Join(lines, "\n")
}

func clean(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !harmless(r) }) < 0
}

// harmless holds for what a terminal shows as itself.
func harmless(r rune) bool {
	return unicode.IsPrint(r)
}

// OneLine makes text from outside fit for a terminal, a log and a table: one line,
// at most limit bytes, no control or invisible characters.
func OneLine(text string, limit int) string {
	var out strings.Builder
	for _, r := range strings.TrimSpace(strings.ToValidUTF8(text, "?")) {
		piece := string(r)
		switch {
		case r == '\n':
			piece = " | "
		case r == '\r':
			continue
		case r == '\t':
			piece = " "
		case !unicode.IsPrint(r):
			piece = "?"
		}
		if out.Len()+len(piece) > limit {
			out.WriteString("…")
			break
		}
		out.WriteString(piece)
	}
	return out.String()
}
