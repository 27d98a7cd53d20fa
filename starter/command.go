package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// command describes one command of the CLI.
type command struct {
	name string
	// arg names the argument in the usage line: "UNIT", or "[UNIT]" where it may be missing; empty
	// for a command without one, "OLD NEW" for one with two.
	arg string
	// short is one line of the list of commands, long the first screen of --help, and example a
	// command line that works.
	short, long, example string
	flags                []cli.Flag
	// remote commands talk to Temporal and take the flags for it.
	remote bool
	run    func(ctx context.Context, con *console, c *cli.Context) error
}

// allFlags are the command's own flags and those that it shares.
func (c command) allFlags() []cli.Flag {
	flags := append([]cli.Flag{}, c.flags...)
	flags = append(flags, &cli.StringFlag{
		Name: flagOutput, Aliases: []string{"o"}, Value: outputText, Usage: "`FORMAT` of standard output: text or json",
	})
	if c.remote {
		flags = append(flags, remoteFlags()...)
	}
	return flags
}

// misread is what the parser says of a flag's value that is no number.
var misread = regexp.MustCompile(`^invalid value (".*") for flag -(.*): .*$`)

// build makes the urfave command.
func (c command) build(con *console) *cli.Command {
	return &cli.Command{
		Name:            c.name[strings.LastIndex(c.name, " ")+1:],
		Usage:           c.short,
		UsageText:       strings.TrimSpace("sluice "+c.name+" [flags] "+c.arg) + "\n\nExample: " + c.example,
		Description:     c.long,
		Flags:           c.allFlags(),
		HideHelpCommand: true,
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			err = errors.New(misread.ReplaceAllString(err.Error(), `--$2 $1 is no number that it takes`))
			return &exitError{code: exitInvalid, err: err, usage: true, command: c.name}
		},
		Action: func(ctx *cli.Context) error {
			err := c.check(ctx)
			if err == nil {
				err = c.run(ctx.Context, con, ctx)
			}
			if e, ok := errors.AsType[*exitError](err); ok {
				e.command = c.name
			}
			return err
		},
	}
}

// check refuses a wrong number of arguments and an unknown output format.
func (c command) check(ctx *cli.Context) error {
	most, expected := len(strings.Fields(c.arg)), "only "+c.arg
	if most == 0 {
		expected = "no arguments"
	}
	args := ctx.Args().Slice()
	switch {
	case len(args) < most && !strings.HasPrefix(c.arg, "["):
		return usagef("%s needs %s, for example: %s", c.name, c.arg, c.example)
	case len(args) > most:
		return usagef("%s: unexpected argument %q, expected %s", c.name, args[most], expected)
	case slices.Contains(args, ""):
		return usagef("%s: an argument is empty, expected %s", c.name, expected)
	}
	if f := ctx.String(flagOutput); f != outputText && f != outputJSON {
		return usagef("--output %q is unknown, expected text or json", f)
	}
	return nil
}

const (
	flagOutput = "output"
	outputText = "text"
	outputJSON = "json"
)
