package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// screen redraws lines in place on a terminal, without filling its scrollback.
type screen struct {
	out io.Writer
	// size answers width and height in cells.
	size  func() (width, height int)
	drawn []string
}

// draw replaces what was drawn before.
func (s *screen) draw(lines []string) error {
	width, height := s.size()
	lines = clipToScreen(fit(lines, width, height), width, height)
	var b strings.Builder
	b.WriteString(ansi.HideCursor)
	s.rewind(&b, width)
	for _, l := range lines {
		b.WriteString(ansi.EraseEntireLine + l)
		if rows(l, width) > 1 {
			b.WriteString(ansi.EraseScreenBelow) // what it wraps over
		}
		b.WriteString("\r\n")
	}
	b.WriteString(ansi.EraseScreenBelow)
	s.drawn = lines
	_, err := io.WriteString(s.out, b.String())
	return err
}

// finish draws for the last time, in full: what does not fit may scroll now.
func (s *screen) finish(lines []string) error {
	width, _ := s.size()
	var b strings.Builder
	s.rewind(&b, width)
	b.WriteString(ansi.EraseScreenBelow)
	for _, l := range folded(lines, width, 0) {
		b.WriteString(l + "\r\n")
	}
	b.WriteString(ansi.ShowCursor)
	s.drawn = nil
	_, err := io.WriteString(s.out, b.String())
	return err
}

// rewind moves to where the last drawing began. A terminal that has become narrower has wrapped its
// lines.
func (s *screen) rewind(b *strings.Builder, width int) {
	up := 0
	for _, l := range s.drawn {
		up += rows(l, width)
	}
	if up > 0 {
		b.WriteString(ansi.CursorUp(up))
	}
	b.WriteString("\r")
}

// rows is how many rows a line takes.
func rows(line string, width int) int {
	width = max(1, width)
	return max(1, (ansi.StringWidth(line)+width-1)/width)
}

// clipToScreen cuts lines to a terminal, leaving one row for the cursor. Of too many lines it keeps
// the first and the last. The last one may wrap: a link that is cut is of no use.
func clipToScreen(lines []string, width, height int) []string {
	if len(lines) == 0 {
		return nil
	}
	last := lines[len(lines)-1]
	room := max(3, height-rows(last, width))
	if len(lines) > room {
		more := fmt.Sprintf("… %s more", plural(len(lines)-room+1, "line"))
		lines = append(append([]string{}, lines[:room-2]...), more, last)
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = ansi.Truncate(l, width, "…") // colours end where the line does
	}
	out[len(out)-1] = last
	return out
}
