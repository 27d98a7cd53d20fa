// Command judgebench measures how often judges roll healthy changes back, and how
// fast they find harm, in simulated worlds: Sluice's judge, and those of others.
// `make bench-judge` runs it; docs/judge.md has its results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	runs int
	seed uint64
	page string
	only []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "judgebench:", err)
		stop()
		os.Exit(1)
	}
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var names []string
	for _, r := range reports() {
		names = append(names, r.name)
	}
	var o options
	fs := flag.NewFlagSet("judgebench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.runs, "runs", 4000, "simulated bakes of each world")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of the simulation; judges are calibrated with the next one")
	fs.StringVar(&o.page, "page", "", "Markdown `file` whose tables between <!-- judge:NAME --> and <!-- judge:end --> are replaced")
	only := fs.String("only", strings.Join(names, ","), "tables to make")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("%q is not a flag, expected flags only", fs.Arg(0))
	case o.runs < 20:
		return o, fmt.Errorf("--runs: %d is too few, expected at least 20", o.runs)
	}
	for _, name := range strings.Split(*only, ",") {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("--only: %q is unknown, expected some of %s", name, strings.Join(names, ","))
		}
		o.only = append(o.only, name)
	}
	return o, nil
}

// run makes the tables and prints each as soon as it is there.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o.runs, o.seed)
	if err != nil {
		return err
	}
	for _, r := range reports() {
		if !slices.Contains(o.only, r.name) {
			continue
		}
		t, err := r.make(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		t.Text(stdout)
		if o.page == "" {
			continue
		}
		if err := t.Into(o.page, "judge", r.name); err != nil {
			return err
		}
	}
	return nil
}
