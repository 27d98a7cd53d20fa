package main

import (
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// usualWidth is how wide help is where no terminal says.
const usualWidth = 80

// helpWriter wraps help at a width, once flush says that it is all there: paragraphs anew, and the
// columns of tables under themselves.
type helpWriter struct {
	out   io.Writer
	width int
	text  string
}

// Write takes a part of the text.
func (h *helpWriter) Write(p []byte) (int, error) {
	h.text += string(p)
	return len(p), nil
}

// flush writes what was taken.
func (h *helpWriter) flush() error {
	if h.text == "" {
		return nil
	}
	var out []string
	for _, paragraph := range strings.Split(strings.TrimSuffix(h.text, "\n"), "\n\n") {
		out = append(out, strings.Join(wrapped(strings.Split(paragraph, "\n"), h.width), "\n"))
	}
	h.text = ""
	_, err := io.WriteString(h.out, strings.Join(out, "\n\n")+"\n")
	return err
}

// gap is what stands between two columns.
var gap = regexp.MustCompile(`\S {2,}\S`)

// wrapped is a paragraph at a width. Prose of which a line is too long is filled anew; of a table
// each such line is continued below its last column.
func wrapped(lines []string, width int) []string {
	long := func(l string) bool { return ansi.StringWidth(l) > width }
	table := func(l string) bool { return indent(l) != indent(lines[len(lines)-1]) || gap.MatchString(l) }
	if !slices.ContainsFunc(lines, long) {
		return lines
	}
	if len(lines) > 1 && indent(lines[0]) == 0 && strings.HasSuffix(lines[0], ":") { // a heading
		return append(lines[:1:1], wrapped(lines[1:], width)...)
	}
	if !slices.ContainsFunc(lines, table) {
		return filled(strings.Join(lines, " "), indent(lines[0]), width)
	}
	var out []string
	for _, l := range lines {
		hang := indent(l) + 2
		if at := gap.FindStringIndex(l); at != nil && at[1]-1 <= width-leastRoom {
			hang = at[1] - 1
		}
		if !long(l) {
			out = append(out, l)
			continue
		}
		first := l[:min(hang, len(l))]
		rest := filled(l[len(first):], hang, width)
		rest[0] = first + strings.TrimLeft(rest[0], " ")
		out = append(out, rest...)
	}
	return out
}

func indent(l string) int { return len(l) - len(strings.TrimLeft(l, " ")) }

// filled puts words into lines, so many cells in.
func filled(text string, by, width int) []string {
	rows := []string{strings.Repeat(" ", by)}
	for i, word := range strings.Fields(text) {
		last := &rows[len(rows)-1]
		switch {
		case i == 0:
			*last += word
		case ansi.StringWidth(*last)+1+ansi.StringWidth(word) <= width:
			*last += " " + word
		default:
			rows = append(rows, strings.Repeat(" ", by)+word)
		}
	}
	return rows
}
