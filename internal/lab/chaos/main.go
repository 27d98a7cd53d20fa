// Command chaos kills the processes of real deployments while rollouts run, or does to them what
// operators do, and checks by what the targets themselves have logged that no rule was broken. What
// is done, in which phase and at which instant follows from a seed.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

func main() { entry.Main("chaos", run) }

// settings are the command's flags.
type settings struct {
	bin        stack.Binaries
	prometheus string // empty: only the targets' own pages are read
	shifted    string // the worker whose clock can be wrong; empty: none is
	dir        string
	seed       uint64
	kills      int
	only       int // a single rollout of the seed; negative for all
	lanes      int
	agents     int // rollouts of bundles
	relayed    int // such rollouts behind relays
	trains     int
	keep       bool
}

// run parses the flags, and goes on until enough has been killed.
func run(ctx context.Context, args []string, out, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	var all error
	if s.kills > 0 {
		all = s.rollouts(ctx, out)
	}
	if s.trains > 0 && ctx.Err() == nil {
		all = errors.Join(all, s.convoys(ctx, out))
	}
	if s.agents > 0 && ctx.Err() == nil {
		all = errors.Join(all, s.deliveries(ctx, s.agents, false, out))
	}
	if s.relayed > 0 && ctx.Err() == nil {
		all = errors.Join(all, s.deliveries(ctx, s.relayed, true, out))
	}
	switch {
	case all != nil:
		return all
	case s.keep:
		return nil
	}
	return os.RemoveAll(s.dir)
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	fs := entry.Flags("chaos", stderr)
	s.bin.Flags(fs)
	fs.StringVar(&s.prometheus, "prometheus", "prometheus", "the Prometheus that some rollouts are judged by; empty for none")
	fs.StringVar(&s.shifted, "shifted", "",
		"a `worker` whose clock is off by SLUICE_CLOCK_OFFSET seconds (.ci/shifted-worker builds it); empty for none")
	fs.StringVar(&s.dir, "dir", "", "`folder` for databases, logs, specs and histories (default: a temporary one)")
	fs.Uint64Var(&s.seed, "seed", 1, "chooses victims, phases, instants and releases")
	fs.IntVar(&s.kills, "kills", 300, "how many faults at least: kills and others; 0 for no such rollouts")
	fs.IntVar(&s.trains, "trains", 0, "how many `trains` of two to five releases that overlap")
	fs.IntVar(&s.agents, "agents", 0, "how many `rollouts` of bundles to agents, that are killed, too")
	fs.IntVar(&s.relayed, "relayed", 0, "how many such `rollouts` to agents behind relays, that are killed, too")
	fs.IntVar(&s.only, "only", -1, "run this `number` of the seed's rollouts, or trains, and no other")
	fs.IntVar(&s.lanes, "lanes", 3, "how many deployments run side by side")
	fs.BoolVar(&s.keep, "keep", false, "keep the folders of rollouts that broke no rule, too")
	if err := entry.Parse(fs, args); err != nil {
		return s, err
	}
	if s.kills < 0 || s.agents < 0 || s.relayed < 0 || s.trains < 0 || s.lanes < 1 {
		return s, errors.New("-lanes must be above 0, -kills, -trains, -agents and -relayed not below")
	}
	if s.prometheus != "" {
		s.prometheus, _ = exec.LookPath(s.prometheus) // what is not there is said, and done without
	}
	var err error
	s.dir, err = stack.Folder(s.dir, "sluice-chaos-")
	return s, err
}
