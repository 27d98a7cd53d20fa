// Package suggest finds the known word that a misspelt one probably meant.
package suggest

import "strings"

// Nearest is the known word closest to s by edits of one character (insert, delete, replace, swap
// of neighbours), ignoring case, or one that s begins with or is the beginning of. It answers false
// when none is near enough to be meant. Of words equally near the first wins.
func Nearest(s string, known []string) (string, bool) {
	if len(s) > 64 {
		return "", false // nobody means a word of ours by that
	}
	best, bestDistance := "", 1+max(1, len(s)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(s), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best != "" {
		return best, true
	}
	for _, k := range known {
		low, key := strings.ToLower(s), strings.ToLower(k)
		if min(len(low), len(key)) >= 3 && (strings.HasPrefix(low, key) || strings.HasPrefix(key, low)) && len(key) > len(best) {
			best = k
		}
	}
	return best, best != ""
}

// distance is the optimal string alignment distance in bytes.
func distance(a, b string) int {
	before := make([]int, len(b)+1)
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
