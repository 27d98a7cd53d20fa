// Command haproxy takes real edge programs through real rollouts: a dozen HAProxies with traffic on them and a Prometheus beside
// them. A good release is promoted, one that answers 503 on a route comes back by itself, and one that HAProxy refuses never
// reaches a live process. README.md shows it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

func main() { entry.Main("haproxy", run) }

// settings say where everything is.
type settings struct {
	bin stack.Binaries
	// tools is the folder of vegeta, example this one, dir where a run keeps its files.
	tools, example, dir string
}

func run(ctx context.Context, args []string, out, stderr io.Writer) error {
	var s settings
	var keep bool
	fs := entry.Flags("haproxy", stderr)
	s.bin.Flags(fs)
	fs.StringVar(&s.tools, "tools", ".local/bin", "`folder` of vegeta")
	fs.StringVar(&s.example, "example", "examples/haproxy", "`folder` of this example's edge, releases and specs")
	fs.StringVar(&s.dir, "dir", "", "`folder` for a run's databases, logs and sites (default: a temporary one)")
	fs.BoolVar(&keep, "keep", false, "only bring everything up and leave it running until Ctrl-C")
	if err := entry.Parse(fs, args); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	fmt.Fprintf(out, "Everything of this run is kept in %s\n", s.dir)
	r, err := bringUp(ctx, s, out)
	if err != nil {
		return err
	}
	defer r.Close()
	if keep {
		r.links(out)
		<-ctx.Done()
		fmt.Fprintln(out, "stopping")
		return nil
	}
	if err := r.show(ctx); ctx.Err() == nil {
		return err
	}
	return errors.New("stopped; nothing is left running")
}

// prepare makes the folders absolute, since a worker runs the example's program.
func (s *settings) prepare() error {
	var err error
	if s.example, err = filepath.Abs(s.example); err != nil {
		return err
	}
	s.dir, err = stack.Folder(s.dir, "sluice-haproxy-")
	return err
}
