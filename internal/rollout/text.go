package rollout

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText bounds each text of a signal that is kept, in bytes.
const MaxText = 500

// PlainText cuts a text of a person to MaxText, and replaces what is not text.
func PlainText(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // controls, and what turns the direction of text
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�")))
	if len(s) <= MaxText {
		return s
	}
	cut := MaxText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
