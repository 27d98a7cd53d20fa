// Package humanize words numbers for people: few digits, percent signs, thousands separated.
package humanize

import (
	"math"
	"strconv"
	"strings"
)

// Percent words a fraction with two significant digits: 0.031 is 3.1%.
func Percent(v float64) string { return PercentTo(v, 2) }

// PercentTo words a fraction as a percentage with so many significant digits.
func PercentTo(v float64, digits int) string { return PlainTo(100*v, digits) + "%" }

// Plain words a number with four significant digits.
func Plain(v float64) string { return PlainTo(v, 4) }

// PlainTo words a number with so many significant digits, and thousands separated. Whole digits are
// never rounded away.
func PlainTo(v float64, digits int) string {
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

// Apart words two numbers with as many digits as it takes to tell them apart, beginning with so
// many.
func Apart(to func(v float64, digits int) string, digits int, a, b float64) (string, string) {
	for ; ; digits++ {
		if sa, sb := to(a, digits), to(b, digits); sa != sb || a == b || digits == 9 {
			return sa, sb
		}
	}
}

// Integer words a count with thousands separated.
func Integer(v float64) string { return thousands(strconv.FormatFloat(math.Round(v), 'f', 0, 64)) }

func thousands(s string) string {
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
