package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// crew runs trials on one deployment, one after the other. try runs the n-th of a seed, in a folder
// of its own, counts it, and answers what came of it in words, and whether it broke no rule.
type crew struct {
	try   func(ctx context.Context, n int, dir string) (line string, fine bool, err error)
	close func()
}

// opener brings up the deployment of a lane, and the crew that works on it.
type opener func(ctx context.Context, s settings, lane int) (crew, error)

// shake runs trials on several deployments side by side, for as long as more says so of how many
// have begun, or until something does not work that is not Sluice.
func (s settings) shake(ctx context.Context, t *tally, more func(begun int) bool, open opener, out io.Writer) error {
	s.dir = filepath.Join(s.dir, t.what)
	fmt.Fprintf(out, "\n%s: seed %d, %d deployments at once, in %s\n", t.what, s.seed, s.lanes, s.dir)
	var next atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	for lane := range s.lanes {
		group.Go(func() error { return s.along(groupCtx, t, lane, &next, more, open, out) })
	}
	err := group.Wait()
	t.print(out)
	if err == nil && len(t.broken) > 0 {
		return fmt.Errorf("%d of the %s broke a rule: see above, and their folders below %s", len(t.broken), t.what, s.dir)
	}
	return err
}

// along runs trials on one deployment.
func (s settings) along(
	ctx context.Context, t *tally, lane int, next *atomic.Int64, more func(int) bool, open opener, out io.Writer,
) error {
	var c crew
	for n := int(next.Add(1) - 1); more(n); n = int(next.Add(1) - 1) {
		if s.only >= 0 && n > 0 {
			break
		}
		if c.try == nil {
			var err error
			if c, err = open(ctx, s, lane); err != nil {
				return fmt.Errorf("deployment %d: %w", lane, err)
			}
			defer c.close()
		}
		n = max(n, s.only)
		dir := filepath.Join(s.dir, fmt.Sprintf("trial-%04d", n))
		line, fine, err := c.try(ctx, n, dir)
		if err != nil {
			return fmt.Errorf("%s, trial %d: %w", t.what, n, err)
		}
		t.say(out, line)
		if fine && !s.keep {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// victims are those for which everything is there.
func (s settings) victims() []victim {
	return slices.DeleteFunc(victims(), func(v victim) bool { return v == source && s.prometheus == "" || v == shifted && s.shifted == "" })
}

// rollouts runs rollouts on simulated fleets until enough faults have come.
func (s settings) rollouts(ctx context.Context, out io.Writer) error {
	if s.prometheus == "" {
		fmt.Fprintln(out, "chaos: there is no prometheus here (apt-get install prometheus): the targets' own pages are the only source")
	}
	t := newTally("rollouts", s.seed, victims(), phases())
	return s.shake(ctx, t, func(int) bool { return t.killed() < s.kills }, func(ctx context.Context, s settings, lane int) (crew, error) {
		l, err := openLane(ctx, s, lane)
		return crew{func(ctx context.Context, n int, dir string) (string, bool, error) {
			e, err := l.try(ctx, newTrial(s.seed, n, s.victims()), dir)
			if err != nil {
				return "", false, err
			}
			broken, changed := check(e)
			return t.add(e, broken, changed, dir), len(broken) == 0, nil
		}, func() { l.close() }}, err
	}, out)
}

// convoys runs trains of releases that overlap.
func (s settings) convoys(ctx context.Context, out io.Writer) error {
	t := newTally("trains", s.seed, trainVictims(), trainPhases())
	return s.shake(ctx, t, func(begun int) bool { return begun < s.trains }, func(ctx context.Context, s settings, lane int) (crew, error) {
		l, err := openLane(ctx, s, lane)
		return crew{func(ctx context.Context, n int, dir string) (string, bool, error) {
			e, err := l.ride(ctx, newTrainTrial(s.seed, n), dir)
			if err != nil {
				return "", false, err
			}
			broken := checkTrain(e)
			return t.addTrain(e, broken, dir), len(broken) == 0, nil
		}, func() { l.close() }}, err
	}, out)
}

// deliveries rolls n bundles out to fleets of agents, behind relays or not.
func (s settings) deliveries(ctx context.Context, n int, behind bool, out io.Writer) error {
	what := map[bool]string{false: "agents", true: "relayed"}[behind]
	t := newTally(what, s.seed, bundleVictims(behind), bundlePhases())
	return s.shake(ctx, t, func(begun int) bool { return begun < n }, func(ctx context.Context, s settings, lane int) (crew, error) {
		d, err := s.openDepot(ctx, lane, behind)
		if err != nil && d != nil {
			d.close()
		}
		return crew{func(ctx context.Context, n int, _ string) (string, bool, error) {
			done, err := d.deliver(ctx, newDelivery(s.seed, n, t.victims))
			if err != nil {
				return "", false, err
			}
			return t.addDelivery(done, d.Dir), len(done.broken) == 0, nil
		}, func() { d.close() }}, err
	}, out)
}
