package main

import (
	"flag"
	"sync"

	"github.com/urfave/cli/v2"
)

// helpFlag is urfave's --help, which all commands of a process share, without a memory of its own:
// urfave's writes to itself, so that two commands at once race.
type helpFlag struct{ *cli.BoolFlag }

// Apply adds a copy of the flag to the set.
func (f helpFlag) Apply(set *flag.FlagSet) error {
	own := *f.BoolFlag
	return own.Apply(set)
}

// shareHelp puts helpFlag in the place of urfave's, once.
var shareHelp = sync.OnceFunc(func() {
	if f, ok := cli.HelpFlag.(*cli.BoolFlag); ok {
		cli.HelpFlag = helpFlag{f}
	}
})
