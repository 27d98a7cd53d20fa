package edges

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

// Settings say where everything of an example is.
type Settings struct {
	Bin stack.Binaries
	// Tools is the folder of vegeta, Example that of the example, Dir where a run keeps its files.
	Tools, Example, Dir string
}

// Prepare makes the folders absolute, since a worker runs the example's program, and creates that
// of a run.
func (s *Settings) Prepare(name string) error {
	var err error
	if s.Example, err = filepath.Abs(s.Example); err != nil {
		return err
	}
	s.Dir, err = stack.Folder(s.Dir, "sluice-"+name+"-")
	return err
}

func (s *Settings) flags(fs *flag.FlagSet, name string) {
	s.Bin.Flags(fs)
	fs.StringVar(&s.Tools, "tools", ".local/bin", "`folder` of vegeta")
	fs.StringVar(&s.Example, "example", "examples/"+name, "`folder` of this example's edge, releases and specs")
	fs.StringVar(&s.Dir, "dir", "", "`folder` for a run's databases, logs and sites (default: a temporary one)")
}

// The exit codes of `sluice start --wait` that examples expect.
const (
	ExitPromoted   = 0
	ExitInvalid    = 2
	ExitRolledBack = 3
	ExitRefused    = 6
)

// ErrUnexpected is the end of a run that did not go as announced.
var ErrUnexpected = errors.New("not everything went as announced, see above")

// Site is an example that runs. Close it.
type Site interface {
	// Show runs the cases and tells them.
	Show(ctx context.Context) error
	// Tell says how to use what runs.
	Tell()
	Close()
}

// Main is the program of an example: it brings it up and shows it, or leaves it running with
// --keep.
func Main(name string, bringUp func(context.Context, Settings, io.Writer) (Site, error)) {
	entry.Main(name, func(ctx context.Context, args []string, out, stderr io.Writer) error {
		var s Settings
		var keep bool
		fs := entry.Flags(name, stderr)
		s.flags(fs, name)
		fs.BoolVar(&keep, "keep", false, "only bring everything up and leave it running until Ctrl-C")
		if err := entry.Parse(fs, args); err != nil {
			return err
		}
		if err := s.Prepare(name); err != nil {
			return err
		}
		fmt.Fprintf(out, "Everything of this run is kept in %s\n", s.Dir)
		site, err := bringUp(ctx, s, out)
		if err != nil {
			return err
		}
		defer site.Close()
		if keep {
			site.Tell()
			<-ctx.Done()
			fmt.Fprintln(out, "stopping")
			return nil
		}
		if err := site.Show(ctx); ctx.Err() == nil {
			return err
		}
		return errors.New("stopped; nothing is left running")
	})
}
