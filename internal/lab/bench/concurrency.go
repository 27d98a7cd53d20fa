package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
)

const (
	// lookEvery is the pace of looks, which is the default.
	lookEvery = 15 * time.Second
	// firstLook is how long after its start a watch looks first.
	firstLook = 5 * time.Second
	// onTheirWay is how many rollouts are between their start and their first look: as many as a
	// deployment would not exceed, since looking at the fleet first takes half a minute.
	onTheirWay = 500
	// perRollout is how many targets each rollout has: one exposed, one not.
	perRollout = 2
)

// crowd is many rollouts that bake on one worker.
type crowd struct {
	*rig
	looks  *looks
	fleet  fleet.Fleet
	worker *stack.Process
	sim    io.Closer
	count  int
	// train has each rollout go in a train of its own.
	train bool
}

// newCrowd is room for n rollouts: a server, a worker and a simulated fleet.
func newCrowd(ctx context.Context, o options, n int) (*crowd, error) {
	r, err := newRig(ctx, o)
	c := &crowd{rig: r, looks: newLooks()}
	if err != nil {
		return c, err
	}
	f, err := sim.Start(ctx, sim.Options{Targets: perRollout * n, AnyUnit: true, Release: before, RPS: 1, Wrap: c.looks.wrap})
	if err != nil {
		return c, err
	}
	c.sim, c.fleet = f, f.Inventory()
	c.worker, err = r.Worker()
	return c, err
}

func (c *crowd) close() {
	if c.rig != nil {
		c.rig.close()
	}
	if c.sim != nil {
		_ = c.sim.Close() // nobody asks any more
	}
}

// measureConcurrency lets more and more rollouts bake on one worker, until looks come later than
// one interval.
func measureConcurrency(ctx context.Context, o options) (*table.Table, error) {
	c, err := newCrowd(ctx, o, o.ramp[len(o.ramp)-1])
	defer c.close()
	if err != nil {
		return nil, err
	}
	t := &table.Table{
		Title: "Rollouts that bake at once on one worker",
		Head: []string{
			"rollouts", "look late, median s", "p99 s", "worst s", "worker, cores", "server, cores", "worker, MiB",
			"started per s", "worker, ms of a core per start", "server, ms",
		},
	}
	t.Note("Each rollout has %d targets and looks every %s; looks are timed where the simulated targets are read. "+
		"Medians of %d windows of %s (least to most). "+
		"sluice-worker is a process of its own. A rollout counts as started when its watch has looked.",
		perRollout, lookEvery, o.repeat, o.window)
	for _, n := range o.ramp {
		if time.Until(o.until) < o.measuring() {
			t.Note("%d rollouts were not tried: the %s were over.", n, o.limit)
			break
		}
		if late, err := c.level(ctx, o, t, n); err != nil || late {
			return t, err
		}
	}
	return t, nil
}

// measuring is how long a step is measured once all of it bakes; before that, what starting the
// rollouts has delayed is caught up.
func (o options) measuring() time.Duration {
	return lookEvery + firstLook + time.Duration(o.repeat)*o.window
}

// level grows the crowd to n and measures it. It answers whether looks come later than a whole
// interval, so that a larger crowd need not be tried.
func (c *crowd) level(ctx context.Context, o options, t *table.Table, n int) (late bool, err error) {
	starting, err := c.grow(ctx, o, n)
	if err != nil {
		return false, err
	}
	baking := c.looks.watched()
	if err := pause.For(ctx, lookEvery+firstLook); err != nil {
		return false, err
	}
	var p50, p99, worst, workers, servers []float64
	for range o.repeat {
		from, worker, server := time.Now(), usageOf(c.worker.PID()), usageOf(c.Temporal.PID())
		if err := pause.For(ctx, o.window); err != nil {
			return false, err
		}
		to := time.Now()
		seen, span := c.looks.late(from, to), to.Sub(from).Seconds()
		if len(seen) == 0 {
			continue // a window shorter than the pace of looks may see none
		}
		p50, p99, worst = append(p50, quantile(seen, 0.5)), append(p99, quantile(seen, 0.99)), append(worst, quantile(seen, 1))
		workers = append(workers, (usageOf(c.worker.PID()).cpu-worker.cpu)/span)
		servers = append(servers, (usageOf(c.Temporal.PID()).cpu-server.cpu)/span)
		fmt.Fprintf(o.progress, "%d rollouts: %d looks, p99 %.2f s late\n", n, len(seen), p99[len(p99)-1])
	}
	t.Add(append([]string{
		fmt.Sprint(n), spread(p50, "%.2f"), spread(p99, "%.2f"), spread(worst, "%.2f"), spread(workers, "%.2f"), spread(servers, "%.2f"),
		fmt.Sprint(usageOf(c.worker.PID()).rss >> 20),
	}, starting...)...)
	if baking < n {
		t.Note("Of %d rollouts %d were baking when the measuring began; the others were still on their way.", n, baking)
	}
	return baking < n || median(p99) > lookEvery.Seconds(), nil
}

// grow starts rollouts until n bake, or until only the time to measure is left. It answers how many
// did so per second, and what one cost the worker and the server.
func (c *crowd) grow(ctx context.Context, o options, n int) ([]string, error) {
	began, before, worker, server := time.Now(), c.looks.watched(), usageOf(c.worker.PID()), usageOf(c.Temporal.PID())
	until := o.until.Add(-o.measuring())
	for c.looks.watched() < n && time.Now().Before(until) {
		if !c.worker.Running() {
			return nil, errors.New("the worker has ended, see worker-1.log")
		}
		if err := c.start(ctx, min(n, c.looks.watched()+onTheirWay)); err != nil {
			return nil, err
		}
		if err := pause.For(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
	started, took := c.looks.watched()-before, time.Since(began).Seconds()
	fmt.Fprintf(o.progress, "%d rollouts: %d bake after %.0f s\n", n, c.looks.watched(), took)
	perStart := func(p *stack.Process, was usage) string {
		return fmt.Sprintf("%.0f", 1000*(usageOf(p.PID()).cpu-was.cpu)/float64(max(1, started)))
	}
	return []string{fmt.Sprintf("%.0f", float64(started)/took), perStart(c.worker, worker), perStart(c.Temporal, server)}, nil
}

// start starts rollouts until there are n.
func (c *crowd) start(ctx context.Context, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for i := c.count; i < n; i++ {
		group.Go(func() error { return c.startOne(ctx, i) })
	}
	c.count = max(c.count, n)
	return group.Wait()
}

func (c *crowd) startOne(ctx context.Context, i int) error {
	s, err := bakingSpec(i)
	if err != nil {
		return err
	}
	if c.train {
		s.Train = &spec.Train{}
	}
	f := fleet.Fleet{Targets: c.fleet.Targets[perRollout*i : perRollout*(i+1)]}
	_, err = c.rig.start(ctx, s, f)
	return err
}

// bakingSpec is a spec of a unit of its own, whose first stage bakes for long.
func bakingSpec(i int) (spec.Spec, error) {
	return specOf(fmt.Sprintf("u-%d", i), after, "http: {}",
		"  - {name: canary, count: 1, bake: 2h}\n  - {name: everyone, reach: 100%, bake: 2h}",
		fmt.Sprintf("scrape: {baseline: 1s}, every: %s", lookEvery))
}
