package entry

import (
	"flag"
	"fmt"
	"io"
)

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
