package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// table is one result, for a terminal and for docs/judge.md.
type table struct {
	title string
	head  []string
	rows  [][]string
	// notes are paragraphs below the table.
	notes []string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// text writes columns that line up.
func (t *table) text(w io.Writer) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintf(w, "\n%s\n\n", t.title)
	for _, row := range append([][]string{t.head}, t.rows...) {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(w, "  "+strings.TrimRight(b.String(), " "))
	}
	for _, n := range t.notes {
		fmt.Fprintln(w, "\n  "+n)
	}
}

// markdown writes the same as a section of a page.
func (t *table) markdown(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n\n| %s |\n|%s\n", t.title, strings.Join(t.head, " | "), strings.Repeat(" --- |", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	for _, n := range t.notes {
		fmt.Fprintf(w, "\n%s\n", n)
	}
}

// into puts the table between a page's marks for it.
func (t *table) into(file, name string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const end = "<!-- judge:end -->"
	begin := "<!-- judge:" + name + " -->"
	head, rest, found := strings.Cut(string(data), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no %s with %s after it", file, begin, end)
	}
	var b strings.Builder
	t.markdown(&b)
	return os.WriteFile(file, []byte(head+begin+"\n"+b.String()+"\n"+end+tail), 0o644)
}
