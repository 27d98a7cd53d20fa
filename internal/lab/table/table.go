// Package table shows what was measured: in columns for a terminal, and as a section of a page that
// can be brought up to date.
package table

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Table is one result. The zero value is an empty one. It is not safe for concurrent use.
type Table struct {
	Title string
	// Head names the columns, and so says how many cells a row has.
	Head []string
	Rows [][]string
	// Notes are paragraphs below the table.
	Notes []string
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Note adds a paragraph.
func (t *Table) Note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

// Text writes columns that line up.
func (t *Table) Text(w io.Writer) {
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintf(w, "\n%s\n\n", t.Title)
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(w, "  "+strings.TrimRight(b.String(), " "))
	}
	for _, n := range t.Notes {
		fmt.Fprintln(w, "\n  "+n)
	}
}

// markdown writes the same as a section of a page.
func (t *Table) markdown(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n\n| %s |\n|%s\n", t.Title, strings.Join(t.Head, " | "), strings.Repeat(" --- |", len(t.Head)))
	for _, row := range t.Rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	for _, n := range t.Notes {
		fmt.Fprintf(w, "\n%s\n", n)
	}
}

// Into puts the table into a file, a page in Markdown, in the place of what is between <!--
// kind:name --> and <!-- kind:end -->.
func (t *Table) Into(file, kind, name string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+kind+":"+name+" -->", "<!-- "+kind+":end -->"
	head, rest, found := strings.Cut(string(data), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no %s with %s after it", file, begin, end)
	}
	var b strings.Builder
	t.markdown(&b)
	return os.WriteFile(file, []byte(head+begin+"\n"+b.String()+"\n"+end+tail), 0o644)
}
