package activities

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxReasons is how many bytes the reasons of one answer take as JSON, at most. With the largest
// batch, with every id as long as it may be and named twice, an answer has 1.7 MB then, and a
// payload may have 2.
const maxReasons = 512 << 10

// capReasons puts troubles in the order of their ids. When their reasons are longer than maxReasons
// together, each is cut to the same length. Every target stays named.
func capReasons(ts []Trouble) []Trouble {
	slices.SortFunc(ts, func(a, b Trouble) int { return strings.Compare(a.ID, b.ID) })
	size := 0
	for _, t := range ts {
		size += jsonLength(t.Reason)
	}
	if size <= maxReasons {
		return ts
	}
	for i := range ts {
		ts[i].Reason = cutToLength(ts[i].Reason, maxReasons/len(ts))
	}
	return ts
}

// jsonLength is how many bytes a text takes in JSON, without its quotes.
func jsonLength(s string) int {
	n := 0
	for _, r := range s {
		n += jsonRuneLength(r)
	}
	return n
}

// cutToLength cuts a text so that it takes at most that number of bytes in JSON.
func cutToLength(s string, most int) string {
	if jsonLength(s) <= most {
		return s
	}
	left := most - len("…")
	for i, r := range s {
		if left -= jsonRuneLength(r); left < 0 {
			if i == 0 && most < len("…") {
				return ""
			}
			return s[:i] + "…"
		}
	}
	return s
}

// jsonRuneLength is how many bytes encoding/json writes for a rune, or a little more.
func jsonRuneLength(r rune) int {
	switch {
	case r < ' ', r == '<', r == '>', r == '&', r == utf8.RuneError, r == '\u2028', r == '\u2029':
		return len(`\u0000`)
	case r == '"', r == '\\':
		return 2
	}
	return utf8.RuneLen(r)
}
