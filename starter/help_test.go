package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Help of every command fits 80 cells, but for words that are longer.
func TestHelpFits(t *testing.T) {
	for _, c := range allCommands() {
		r := sluice(t, "", append(strings.Fields(c.name), "--help")...)
		require.Equal(t, exitOK, r.code, r.errOut)
		require.Contains(t, r.out, "--output FORMAT")
		for _, l := range strings.Split(r.out, "\n") {
			require.LessOrEqual(t, len([]rune(l)), max(usualWidth, indent(l)+2+longest(l)), "%s: %q", c.name, l)
		}
	}
}

// longest is how many characters the rest of a line has that nothing can break, such as an example.
func longest(l string) int {
	n := 0
	for _, word := range strings.Fields(l) {
		n = max(n, len([]rune(word)))
	}
	return n
}

func TestWrapped(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"short lines stay":   {"  one\n    two", "  one\n    two"},
		"below a heading":    {"DESCRIPTION:\n   words that go on and on\n   and end", "DESCRIPTION:\n   words that go on\n   and on and end"},
		"prose":              {"   words that go on and on\n   and end", "   words that go on\n   and on and end"},
		"a table":            {"   --flag X  what it does and why not\n   -o        short", "   --flag X  what it does and why\n             not\n   -o        short"},
		"a table of no room": {"   --a-very-long-flag  what it does", "   --a-very-long-flag\n     what it does"},
	} {
		width := 20
		if name == "a table" {
			width = 34
		}
		require.Equal(t, tc.want, strings.Join(wrapped(strings.Split(tc.text, "\n"), width), "\n"), name)
	}
}
