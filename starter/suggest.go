package main

import "github.com/sluicehq/sluice/internal/suggest"

// suggestion is a clause such as "; did you mean --watch?", empty when no known word is
// near enough to be meant.
func suggestion(given string, known []string, prefix string) string {
	if meant, ok := suggest.Nearest(given, known); ok {
		return "; did you mean " + prefix + meant + "?"
	}
	return ""
}
