// Command demo shows Sluice's main job on a simulated fleet: a good release goes out while the
// worker and the Temporal server are killed, a bad one comes back by itself, and one is aborted.
// With --postgres the same happens in the shape of a production: PostgreSQL below Temporal, two
// workers. With --keep it only brings the stack up and leaves it running.
package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

func main() { entry.Main("demo", run) }

// settings are the command's flags.
type settings struct {
	bin      stack.Binaries
	targets  int
	dir      string
	keep     bool
	postgres bool
	build    string // makes the embedded server, or finds that it is up to date
	join     bool   // a server of the user's own may be used
}

func run(ctx context.Context, args []string, out, stderr io.Writer) error {
	var s settings
	fs := entry.Flags("demo", stderr)
	s.bin.Flags(fs)
	fs.IntVar(&s.targets, "targets", 60, "size of the simulated fleet")
	fs.StringVar(&s.dir, "dir", "", "`folder` for databases, logs and specs (default: a temporary one; with --keep .sluice/dev)")
	fs.BoolVar(&s.keep, "keep", false, "bring the stack up, print its links and leave it running until Ctrl-C")
	fs.BoolVar(&s.postgres, "postgres", false, "Temporal on a PostgreSQL cluster of its own, and two workers")
	fs.StringVar(&s.build, "build", "", "`command` that compiles the embedded Temporal server, where that is needed")
	if err := entry.Parse(fs, args); err != nil {
		return err
	}
	if s.keep && s.postgres {
		return errors.New("--keep and --postgres do not go together: the cluster is gone at the end")
	}
	s.join = !s.keep && !s.postgres
	if s.keep && s.dir == "" {
		s.dir = filepath.Join(".sluice", "dev")
	}
	var err error
	if s.dir, err = stack.Folder(s.dir, "sluice-demo-"); err != nil {
		return err
	}
	if s.keep {
		return keep(ctx, s, out)
	}
	return show(ctx, s, out)
}
