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
	lines = fit(lines, width, height)
	var b strings.Builder
	b.WriteString(ansi.HideCursor)
	s.rewind(&b, width)
	for _, l := range lines {
		b.WriteString(l + ansi.EraseLineRight + "\r\n")
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
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString(ansi.ShowCursor)
	s.drawn = nil
	_, err := io.WriteString(s.out, b.String())
	return err
}

// rewind moves to where the last drawing began. A terminal that has become
// narrower has wrapped its lines.
func (s *screen) rewind(b *strings.Builder, width int) {
	rows := 0
	for _, l := range s.drawn {
		rows += max(1, (ansi.StringWidth(l)+width-1)/max(1, width))
	}
	if rows > 0 {
		b.WriteString(ansi.CursorUp(rows))
	}
	b.WriteString("\r")
}

// fit cuts lines to a terminal, leaving one row for the cursor. When there are too
// many, the last one and as many of the first as fit stay.
func fit(lines []string, width, height int) []string {
	room := max(3, height-1)
	if len(lines) > room {
		hidden := len(lines) - room + 1
		last := lines[len(lines)-1]
		lines = append(append([]string{}, lines[:room-2]...), fmt.Sprintf("… %s more", plural(hidden, "line")), last)
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = cut(l, width)
	}
	return out
}
