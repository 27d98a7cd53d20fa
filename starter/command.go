package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

// command describes one command of the CLI.
type command struct {
	name string
	// args names the positional arguments in the usage line; min and max bound
	// how many there are.
	args     string
	min, max int
	short    string
	long     string
	example  string
	flags    []cli.Flag
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

// build makes the urfave command.
func (c command) build(con *console) *cli.Command {
	return &cli.Command{
		Name:            c.name,
		Usage:           c.short,
		UsageText:       "sluice " + c.name + " [flags] " + c.args + "\n\nExample: " + c.example,
		Description:     c.long,
		Flags:           c.allFlags(),
		HideHelpCommand: true,
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return usagef("%s: %v", c.name, err) },
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
	switch n := ctx.NArg(); {
	case n < c.min:
		return usagef("%s needs %s, for example: %s", c.name, c.args, c.example)
	case n > c.max:
		return usagef("%s: unexpected argument %q, expected %s", c.name, ctx.Args().Get(c.max), expected(c))
	}
	for _, arg := range ctx.Args().Slice() {
		if arg == "" {
			return usagef("%s: an argument is empty, expected %s", c.name, expected(c))
		}
	}
	if f := ctx.String(flagOutput); f != outputText && f != outputJSON {
		return usagef("--output %q is unknown, expected text or json", f)
	}
	return nil
}

func expected(c command) string {
	if c.max == 0 {
		return "no arguments"
	}
	return fmt.Sprintf("only %s", c.args)
}

const (
	flagOutput = "output"
	outputText = "text"
	outputJSON = "json"
)
