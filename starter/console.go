package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/terminal"
)

// console is where a command reads and writes. Data goes to out, messages go to errOut.
type console struct {
	in     io.Reader
	out    io.Writer
	errOut io.Writer
	// json asks for JSON on out.
	json bool
	// compact keeps a JSON object on one line.
	compact bool
	// paint colours what goes to out.
	paint paint
	// screen is out's terminal; nil when out is none.
	screen *os.File
	// ascii draws with ASCII only.
	ascii bool
	// now is this computer's time, or Temporal's once a command has connected.
	now func() time.Time
	// catalog is what a spec can name.
	catalog catalog.Catalog
}

// newConsole looks whether stdout is a terminal and whether colours are welcome.
func newConsole(in io.Reader, out, stdout, stderr io.Writer) *console {
	c := &console{in: in, out: out, errOut: stderr, now: time.Now, catalog: catalog.New(), ascii: asciiOnly(os.Getenv)}
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		c.screen = f
		c.paint = os.Getenv("NO_COLOR") == ""
	}
	return c
}

// size is the terminal's width and height in cells.
func (c *console) size() (width, height int) {
	w, h, err := term.GetSize(int(c.screen.Fd()))
	if err != nil || w <= 0 || h <= 0 {
		return 80, 24
	}
	return w, h
}

// width is the terminal's; 0 when there is none, and nothing limits a line.
func (c *console) width() int {
	if c.screen == nil {
		return 0
	}
	w, _ := c.size()
	return w
}

// onStderr is a console that prints on stderr what this one prints on stdout.
func (c *console) onStderr() *console {
	other := *c
	other.out = c.errOut
	return &other
}

// lines prints data line by line.
func (c *console) lines(lines []string) error {
	for _, l := range folded(c.shown(lines), c.width(), 0) {
		if _, err := fmt.Fprintln(c.out, l); err != nil {
			return err
		}
	}
	return nil
}

// encoder writes JSON that is safe to show, with times in seconds.
func (c *console) encoder() *json.Encoder {
	enc := json.NewEncoder(seconds{terminal.Writer(c.out)})
	enc.SetEscapeHTML(false)
	return enc
}

// seconds writes JSON, an object at a time, without the fractions of its times: not every script
// reads them.
type seconds struct{ w io.Writer }

var fraction = regexp.MustCompile(`"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(Z|[+-]\d\d:\d\d)"`)

// Write writes what the encoder gives at once.
func (s seconds) Write(p []byte) (int, error) {
	if _, err := s.w.Write(fraction.ReplaceAll(p, []byte(`"$1$2"`))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// object prints one JSON object.
func (c *console) object(v any) error {
	enc := c.encoder()
	if !c.compact {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(v)
}

// answer prints one JSON object, or the same in words.
func (c *console) answer(object any, words []string) error {
	if c.json {
		return c.object(object)
	}
	return c.lines(words)
}

// say prints a message for a person. The text is made safe.
func (c *console) say(format string, args ...any) {
	fmt.Fprintln(c.errOut, terminal.Lines(fmt.Sprintf(format, args...)))
}

// failure is what stdout holds after a failure under --output json.
type failure struct {
	Error    string              `json:"error"`
	Code     int                 `json:"code"`
	Reason   string              `json:"reason,omitempty"`
	Problems strictyaml.Problems `json:"problems,omitempty"`
}

// report tells what went wrong and answers the exit code.
func (c *console) report(err error) int {
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[endedError](err); ok {
		return int(code)
	}
	f := failure{Error: err.Error(), Code: exitInternal}
	hint := ""
	if e, ok := errors.AsType[*exitError](err); ok {
		f.Code, f.Reason, f.Problems = e.code, e.reason, e.problems
		if e.usage {
			hint = "\nrun " + strings.Join(slices.DeleteFunc([]string{"sluice", e.command, "--help"}, func(w string) bool { return w == "" }), " ")
		}
	}
	if c.json {
		_ = c.object(f) // a failing stdout is noticed by whoever called run
	}
	c.sayProblems(f.Problems)
	c.say("sluice: %s%s", f.Error, hint)
	return f.Code
}

// maxProblems is how many problems a person is shown.
const maxProblems = 200

func (c *console) sayProblems(problems strictyaml.Problems) {
	for i, p := range problems {
		switch {
		case i == maxProblems:
			c.say("and %d more problems; --output json lists them all", len(problems)-i)
			return
		case p.Line == 0: // not at any one place
			c.say("%s: %s", p.File, p.Message)
		default:
			c.say("%s", p.Error())
		}
	}
}

// writeFailed answers the exit code when stdout could not be written. A reader that has gone away,
// as in `sluice list | head -1`, is no news to anyone.
func (c *console) writeFailed(err error) int {
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.ErrClosedPipe) {
		c.say("sluice: write standard output: %v", err)
	}
	return exitInternal
}

// guardedWriter remembers the first error, after which it writes nothing more. It is safe for
// concurrent use.
type guardedWriter struct {
	w     io.Writer
	mu    sync.Mutex
	first error
}

// Write passes on until the first error.
func (g *guardedWriter) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first != nil {
		return 0, g.first
	}
	n, err := g.w.Write(p)
	g.first = err
	return n, err
}

func (g *guardedWriter) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}
