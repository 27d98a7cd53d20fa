package activities

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxTold is how many bytes the reasons of one answer take as JSON, at most. With the
// largest batch, of which every id is as long as it may be and told twice, an answer is
// 1.7 MB then, and a payload may have 2.
const maxTold = 512 << 10

// told puts troubles in the order of their ids. When there are so many that an answer
// could not hold their reasons, each is cut to the same length; every target stays
// named.
func told(ts []Trouble) []Trouble {
	slices.SortFunc(ts, func(a, b Trouble) int { return strings.Compare(a.ID, b.ID) })
	size := 0
	for _, t := range ts {
		size += written(t.Reason)
	}
	if size <= maxTold {
		return ts
	}
	for i := range ts {
		ts[i].Reason = cutTo(ts[i].Reason, maxTold/len(ts))
	}
	return ts
}

// written is how many bytes a text takes in JSON, without its quotes.
func written(s string) int {
	n := 0
	for _, r := range s {
		n += cost(r)
	}
	return n
}

// cutTo cuts a text so that it takes at most so many bytes in JSON.
func cutTo(s string, most int) string {
	if written(s) <= most {
		return s
	}
	left := most - len("…")
	for i, r := range s {
		if left -= cost(r); left < 0 {
			if i == 0 && most < len("…") {
				return ""
			}
			return s[:i] + "…"
		}
	}
	return s
}

// cost is how many bytes encoding/json writes for a rune, or a little more.
func cost(r rune) int {
	switch {
	case r < ' ', r == '<', r == '>', r == '&', r == utf8.RuneError, r == '\u2028', r == '\u2029':
		return len(`\u0000`)
	case r == '"', r == '\\':
		return 2
	}
	return utf8.RuneLen(r)
}
