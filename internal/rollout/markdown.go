package rollout

import (
	"strings"
	"unicode"
)

// Markdown keeps a value from being read as markup, as a link, or as a line of its own, and from
// being made typographic: --why stays --why. What could be is written as a character reference,
// which Temporal's Web UI shows as the character. Only quotes become typographic all the same.
func Markdown(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	s = strings.Join(words, " ") // two spaces at its end would end the line
	var b page
	for i := range len(s) {
		if c := s[i]; markup(s, i) {
			b.addf("&#%d;", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// markup says whether the byte at i could be read as more than itself, in the middle of a line or,
// where it is the first, at the beginning of one.
func markup(s string, i int) bool {
	at := func(i int) byte {
		if i < 0 || i >= len(s) {
			return ' '
		}
		return s[i]
	}
	c, before, after := s[i], at(i-1), at(i+1)
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	switch c {
	case '#', '$', '&', '\'', '*', '<', '>', '@', '[', '\\', ']', '^', '_', '`', '{', '|', '}', '~':
		return true
	case '-': // a dash
		return before == '-' || after == '-' || i == 0
	case '.': // an ellipsis, a list, www.
		return before == '.' || after == '.' || before == 'w' || before == 'W' || digit(before) && after == ' '
	case ':': // a link, a definition
		return after == '/' || before == 'o' || before == 'O' || before == ' '
	case '/': // a fraction
		return digit(before) && digit(after)
	case '(': // (c)
		return strings.IndexByte("cCrRtT", after) >= 0
	case '!', '+', '=', ')':
		return i == 0 || digit(before) && c == ')'
	}
	return false
}
