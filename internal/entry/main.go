// Package entry is how Sluice's programs begin and end: the worker, the examples and those of the lab.
package entry

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Run is a program without its globals. It returns soon after ctx has ended.
type Run func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// Main runs a program and ends the process. SIGINT and SIGTERM end its context; a second one ends the process at once. The
// exit code is 0, also after a request for help, and 1 for an error, which goes to stderr behind the program's name.
func Main(name string, run Run) { os.Exit(code(name, run, os.Args[1:], os.Stdout, os.Stderr)) }

func code(name string, run Run, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := run(ctx, args, stdout, stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// Flags is a set of flags that reports on stderr and leaves the end of the process to Main.
func Flags(name string, stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	return fs
}

// Parse reads the flags, and refuses arguments that are not flags.
func Parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q is not a flag, expected flags only: see --help", fs.Arg(0))
	}
	return nil
}
