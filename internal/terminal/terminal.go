// Package terminal makes text from elsewhere safe to show to a person.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Safe answers s with everything escaped that could move the cursor, change colours, end the line
// or reorder what is shown: control characters, invalid UTF-8, and invisible formatting such as
// bidirectional overrides. It is for text within a line; what is shown is unambiguous, but not
// meant to be parsed back.
func Safe(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
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

// Lines is Safe for text of several lines: line feeds stay, and a carriage return before one is
// dropped.
func Lines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = Safe(l)
	}
	return strings.Join(lines, "\n")
}

// OneLine makes text from outside fit for a terminal, a log and a table: one line, at most limit
// bytes, no control or invisible characters.
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

// Writer passes on what is written to it with everything escaped, as JSON does it, that a terminal
// would act on; line feeds and tabs stay. JSON stays the JSON that it was. A character must not be
// cut in two by two writes.
func Writer(to io.Writer) io.Writer { return writer{to} }

type writer struct{ to io.Writer }

// Write never answers a count between 0 and all.
func (w writer) Write(p []byte) (int, error) {
	if _, err := w.to.Write(escape(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func escape(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			out = append(out, p[:n]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		p = p[n:]
	}
	return out
}
