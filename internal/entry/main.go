// Package entry is how Sluice's programs begin and end: the worker, the examples and those of the
// lab.
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

// Main runs a program and ends the process. SIGINT and SIGTERM end its context; a second one ends
// the process at once. The exit code is 0, also after a request for help or for the version, 2 for
// flags that are wrong and 1 for another error, which goes to stderr behind the program's name.
func Main(name string, run Run) { os.Exit(code(name, run, os.Args[1:], os.Stdout, os.Stderr)) }

func code(name string, run Run, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if len(args) > 0 && (args[0] == "--version" || args[0] == "-version") {
		fmt.Fprintln(stdout, name, version)
		return 0
	}
	err := run(ctx, args, stdout, stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// version is set by the linker for a release: -ldflags "-X …/internal/entry.version=…".
var version = "dev"

// Version is the program's.
func Version() string { return version }

// usageError is about flags that cannot be meant.
type usageError struct{ error }

// Flags is a set of flags that reports on stderr and leaves the end of the process to Main.
func Flags(name string, stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	return fs
}

// Parse reads the flags, and refuses arguments that are not flags.
func Parse(fs *flag.FlagSet, args []string) error {
	help, out := fs.Usage, fs.Output()
	fs.Usage = func() {} // only who asks for it is shown all of it
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	fs.SetOutput(out)
	fs.Usage = help
	switch {
	case errors.Is(err, flag.ErrHelp):
		help()
	case err != nil:
		return usageError{fmt.Errorf("%w: see --help", err)}
	case fs.NArg() > 0:
		return usageError{fmt.Errorf("%q is not a flag, expected flags only: see --help", fs.Arg(0))}
	}
	return err
}
