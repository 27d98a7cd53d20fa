package health

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// percent words a fraction with two significant digits: 0.031 is 3.1%.
func percent(v float64) string { return percentTo(v, 2) }

// percentTo words a fraction as a percentage with so many significant digits.
func percentTo(v float64, digits int) string { return plainTo(100*v, digits) + "%" }

// plain words a number with four significant digits.
func plain(v float64) string { return plainTo(v, 4) }

// plainTo words a number with so many significant digits, and thousands separated.
// Whole digits are never rounded away.
func plainTo(v float64, digits int) string {
	size := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case size < 1e-6 || size >= 1e15:
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(size))))
	s := strconv.FormatFloat(size, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	s = thousands(whole)
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		s += "." + fraction
	}
	if v < 0 {
		return "-" + s
	}
	return s
}

// apart words two numbers with as many digits as it takes to tell them
// apart, beginning with so many.
func apart(to func(v float64, digits int) string, digits int, a, b float64) (string, string) {
	for ; ; digits++ {
		if sa, sb := to(a, digits), to(b, digits); sa != sb || a == b || digits == 9 {
			return sa, sb
		}
	}
}

// integer words a count with thousands separated.
func integer(v float64) string { return thousands(strconv.FormatFloat(math.Round(v), 'f', 0, 64)) }

func thousands(s string) string {
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// cut bounds a text to n bytes and takes what a terminal would act on out of it.
func cut(s string, n int) string {
	const more = "…"
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s[:min(len(s), 4*n)])
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len(more)], "") + more
}

// named lists a few of many things.
func named(all []string) string {
	const few = 5
	if len(all) <= few {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(all[:few], "; "), len(all)-few)
}
