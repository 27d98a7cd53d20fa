package health

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// percent words a fraction with two significant digits: 0.031 is 3.1%.
func percent(v float64) string {
	p := 100 * v
	if p >= 10 {
		return strconv.FormatFloat(p, 'f', 0, 64) + "%"
	}
	return strconv.FormatFloat(p, 'g', 2, 64) + "%"
}

// plain words a number with four significant digits.
func plain(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// integer words a count with thousands separators.
func integer(v float64) string {
	s := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// cut bounds a text and takes what a terminal would act on out of it.
func cut(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// named lists a few of many things.
func named(all []string) string {
	const few = 5
	if len(all) <= few {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(all[:few], "; "), len(all)-few)
}
