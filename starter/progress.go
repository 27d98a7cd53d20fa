package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// progress is one line on stderr that says how far a command is, where that is a terminal. It is
// for one goroutine at a time.
type progress struct {
	con   *console
	shown time.Time
}

// progress shows nothing where nobody watches: in a pipe, and on a terminal that cannot rewrite a
// line.
func (c *console) progress() *progress {
	if f, ok := c.errOut.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return &progress{}
	}
	return &progress{con: c}
}

// say rewrites the line, a few times a second.
func (p *progress) say(format string, args ...any) {
	if p.con == nil || time.Since(p.shown) < time.Second/4 {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.con.errOut, "\r\x1b[K"+format, args...)
}

// clear leaves an empty line to what comes next.
func (p *progress) clear() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.con.errOut, "\r\x1b[K")
	}
	p.shown = time.Time{}
}
