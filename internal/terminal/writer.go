package terminal

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Writer passes on what is written to it with everything escaped, as JSON does it,
// that a terminal would act on; line feeds and tabs stay. JSON stays the JSON that it
// was. A character must not be cut in two by two writes.
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
		case r == '\n' || r == '\t' || harmless(r):
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
