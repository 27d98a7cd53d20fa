package main

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// run executes one command line and answers its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &guardedWriter{w: stdout}
	con := newConsole(stdin, out, stdout, stderr)
	commands := allCommands()
	err := dispatch(ctx, con, commands, args)
	if writeErr := out.err(); writeErr != nil {
		return con.writeFailed(writeErr)
	}
	return con.report(err)
}

// allCommands is where a command is registered. Those of signals come from rollout.Signals.
func allCommands() []command {
	return slices.Concat(
		[]command{
			initCommand(), validateCommand(), planCommand(), startCommand(),
			watchCommand(), statusCommand(), listCommand(), explainCommand(),
		},
		signalCommands(),
		trainCommands(),
		bundleCommands(),
		[]command{undoCommand(), judgeCommand(), backtestCommand(), simulateCommand(), schemaCommand(), versionCommand(), completionCommand()},
	)
}

// dispatch finds the command, checks its arguments and runs it.
func dispatch(ctx context.Context, con *console, commands []command, args []string) error {
	var words []string
	if len(args) > 0 {
		words = args[1:]
	}
	if len(words) > 0 && words[0] == completeCommand {
		return con.lines(candidates(commands, words[1:], namesFor(ctx, words[1:])))
	}
	con.json = wantsJSON(words)
	parsed, err := parseArgs(commands, words)
	if err != nil {
		return err
	}
	if parsed.command == "" && !parsed.help {
		_ = runApp(ctx, con.onStderr(), commands, []string{"sluice", "--help"}) // the error below says it all
		return usagef("no command given")
	}
	return runApp(ctx, con, commands, parsed.canonical())
}

// runApp runs a command, or shows its help at the width of the terminal.
func runApp(ctx context.Context, con *console, commands []command, words []string) error {
	shareHelp()
	app, help := newApp(con, commands), &helpWriter{out: con.out, width: cmp.Or(con.width(), usualWidth)}
	app.Writer = help
	err := app.RunContext(ctx, words)
	return cmp.Or(err, help.flush())
}

// newApp builds the urfave application. Errors come back to run; nothing in it ends the process.
func newApp(con *console, commands []command) *cli.App {
	app := &cli.App{
		Name:            "sluice",
		Usage:           "take a change across a fleet stage by stage, and back by itself",
		UsageText:       "sluice COMMAND [flags] [arguments]",
		Description:     appDescription,
		HideVersion:     true,
		HideHelpCommand: true,
		// A fault has commas of its own: "errors 3x on region=eu,tier=free".
		DisableSliceFlagSeparator: true,
		ErrWriter:                 con.errOut,
		Reader:                    con.in,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              func(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) },
	}
	for _, c := range commands {
		group, _, grouped := strings.Cut(c.name, " ")
		if !grouped {
			app.Commands = append(app.Commands, c.build(con))
			continue
		}
		parent := app.Command(group)
		if parent == nil {
			parent = &cli.Command{Name: group, Usage: groups[group], HideHelpCommand: true}
			app.Commands = append(app.Commands, parent)
		}
		parent.Subcommands = append(parent.Subcommands, c.build(con))
	}
	return app
}

// groups are the first words of commands of two words, with a line for the list of commands.
var groups = map[string]string{"bundle": "make a folder of files a release, and look into it"}

const appDescription = `Start a rollout, then look at it or steer it from anywhere:

   sluice start rollout.yaml --wait
   sluice watch edge-proxy
   sluice abort edge-proxy --why "customers report errors"

Every command takes --help and --output json. Exit codes: 0 promoted or ok,
1 internal, 2 invalid input, 3 rolled back, 4 aborted, 5 rollback incomplete,
6 refused, 7 still running, 8 superseded by a newer release.`
