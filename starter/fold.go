package main

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// folded breaks lines that are wider than so many cells at their spaces, each into at most so many
// rows; 0 is no limit of either. A word that is wider, such as a link, stays whole.
func folded(lines []string, width, most int) []string {
	if width <= 0 {
		return lines
	}
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		out = append(out, fold(l, width, most)...)
	}
	return out
}

// fold breaks one line. What follows stands two cells further in than the line, behind the stems of
// a tree's branches.
func fold(line string, width, most int) []string {
	if ansi.StringWidth(line) <= width {
		return []string{line}
	}
	plain := ansi.Strip(line)
	stem := plain[:len(plain)-len(strings.TrimLeft(plain, "├└│─ "))]
	next := strings.NewReplacer("├", "│", "└", " ", "─", " ").Replace(stem) + "  "
	if room(width, next) < leastRoom {
		next = "  "
	}
	rows := []string{""}
	for i, word := range strings.Split(line, " ") {
		last := &rows[len(rows)-1]
		switch {
		case i == 0:
			*last = word
		case ansi.StringWidth(*last)+1+ansi.StringWidth(word) <= width || strings.TrimLeft(ansi.Strip(*last), "├└│─ ") == "":
			*last += " " + word
		case ansi.Strip(word) == "": // between columns
		default:
			*last = strings.TrimRight(*last, " ")
			rows = append(rows, next+word)
		}
	}
	if most > 0 && len(rows) > most {
		rows[most-1] = ansi.Truncate(rows[most-1], width-1, "") + "…"
		rows = rows[:most]
	}
	return rows
}

// leastRoom is what an indent must leave of a width, in cells.
const leastRoom = 20

// fit is lines folded for a screen: as far as its height has room for, the longest are cut.
func fit(lines []string, width, height int) []string {
	for _, most := range []int{0, 3, 2} {
		if f := folded(lines, width, most); len(f) < height {
			return f
		}
	}
	return lines
}
