package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// keep brings the stack up and leaves it running until ctx ends.
//
// It removes what an earlier run left: that run's targets had other addresses, so its rollouts
// could not go on.
func keep(ctx context.Context, s settings, out io.Writer) error {
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // which gives the lock up
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another stack runs in %s: stop it first, or choose another folder with --dir", s.dir)
	}
	for _, old := range []string{"temporal.db", "temporal.db-wal", "temporal.db-shm", "store"} {
		if err := os.RemoveAll(filepath.Join(s.dir, old)); err != nil {
			return err
		}
	}
	st := stack.New(s.bin, s.dir)
	defer st.Close()
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	if err := choose(s).begin(ctx, st, s.build, say, func() error { return nil }); err != nil {
		return err
	}
	if err := st.Simulate(ctx, s.targets, unit, release, "--rps-per-target", "20"); err != nil {
		return err
	}
	if _, err := st.Worker(); err != nil {
		return err
	}
	path, err := writeSpec(s.dir, goodRelease, "30s")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `
Temporal      %[1]s
Web UI        %[2]s
fleet         %[3]s  (%[4]d targets on %[5]s %[6]s)
metrics       %[3]s/metrics
fleet file    %[7]s
example spec  %[8]s
logs          %[9]s

In another terminal:

  export TEMPORAL_ADDRESS=%[1]s SLUICE_UI=%[2]s
  bin/sluice start --wait %[8]s

Ctrl-C stops everything. What ends before is said here.
`, st.Address, st.UI, st.SimURL, s.targets, unit, release, st.FleetFile(), path, filepath.Join(s.dir, "*.log"))
	tellEnds(ctx, out, s.dir, append([]*stack.Process{st.Temporal, st.Sim}, st.Workers...)...)
	fmt.Fprintln(out, "stopping")
	return nil
}
