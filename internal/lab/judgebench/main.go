// Command judgebench measures how often judges roll healthy changes back, and how fast they find
// harm, in simulated worlds: Sluice's judge, and those of others. `make bench-judge` runs it;
// docs/judge.md has its results.
package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/entry"
)

// options are the flags.
type options struct {
	runs int
	seed uint64
	page string
	only []string
}

func main() { entry.Main("judgebench", run) }

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var names []string
	for _, r := range reports() {
		names = append(names, r.name)
	}
	var o options
	fs := entry.Flags("judgebench", stderr)
	fs.IntVar(&o.runs, "runs", 4000, "simulated bakes of each world")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of the simulation; judges are calibrated with the next one")
	fs.StringVar(&o.page, "page", "", "Markdown `file` whose tables between <!-- judge:NAME --> and <!-- judge:end --> are replaced")
	only := fs.String("only", strings.Join(names, ","), "tables to make")
	if err := entry.Parse(fs, args); err != nil {
		return o, err
	}
	if o.runs < 20 {
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
	b := newBench(ctx, o.runs, o.seed)
	for _, r := range reports() {
		if !slices.Contains(o.only, r.name) {
			continue
		}
		t := r.make(ctx, b)
		if ctx.Err() != nil {
			return context.Cause(ctx)
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
