package main

import (
	"fmt"
	"strings"
)

// suggestion is a "did you mean" clause, empty when nothing known is close.
func suggestion(given string, known []string, prefix string) string {
	best, at := "", len(given)/4+2
	for _, k := range known {
		d := distance(given, k)
		if given != "" && strings.HasPrefix(k, given) {
			d = min(d, 1) // begun and not finished
		}
		if d < at {
			best, at = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", prefix, best)
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
