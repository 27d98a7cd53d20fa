package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
	// patience is how long a step of the ramp may take to be baking.
	patience = 10 * time.Minute
	// perRollout is how many targets each rollout has: one exposed, one not.
	perRollout = 2
)

// crowd is many rollouts that bake on one worker.
type crowd struct {
	*rig
	looks  *looks
	fleet  fleet.Fleet
	worker *stack.Process
	count  int
}

// measureConcurrency lets more and more rollouts bake on one worker, until looks
// come later than one interval.
func measureConcurrency(ctx context.Context, o options) (*table.Table, error) {
	r, err := newRig(ctx, o)
	defer r.close()
	if err != nil {
		return nil, err
	}
	c := &crowd{rig: r, looks: newLooks()}
	f, err := sim.Start(ctx, sim.Options{Targets: perRollout * o.ramp[len(o.ramp)-1], Unit: unit, Release: before, RPS: 1, Wrap: c.looks.wrap})
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	c.fleet = f.Inventory()
	if c.worker, err = r.Worker(o.workerFlags...); err != nil {
		return nil, err
	}
	t := &table.Table{
		Title: "Rollouts that bake at once on one worker",
		Head:  []string{"rollouts", "looks", "look late, p50 s", "p99 s", "worst s", "worker MiB", "KiB per rollout", "worker CPU, cores", "server CPU, cores", "started per s"},
	}
	t.Note("Each rollout has %d targets and looks every %s; the limit is p99 at %s. sluice-worker is a process of its own; looks are timed where the simulated targets are read, over %s.", perRollout, lookEvery, lookEvery, o.window)
	time.Sleep(2 * time.Second)
	idle := usageOf(c.worker.PID())
	for _, n := range o.ramp {
		p99, err := c.level(ctx, o, t, n, idle)
		if err != nil {
			return nil, err
		}
		if p99 > lookEvery.Seconds() {
			break
		}
	}
	return t, nil
}

// level grows the crowd to n and measures it. It answers the p99 of lateness.
func (c *crowd) level(ctx context.Context, o options, t *table.Table, n int, idle usage) (float64, error) {
	began := time.Now()
	more := n - c.count
	if err := c.grow(ctx, n); err != nil {
		return 0, err
	}
	watched := c.await(ctx, n, patience)
	fmt.Fprintf(o.progress, "%d rollouts: %d watched after %s\n", n, c.looks.watched(), time.Since(began).Round(time.Second))
	rate := float64(more) / time.Since(began).Seconds()
	if err := pause.For(ctx, lookEvery+firstLook); err != nil { // what starting them has delayed is caught up
		return 0, err
	}
	from, before, server := time.Now(), usageOf(c.worker.PID()), usageOf(c.Temporal.PID())
	if err := pause.For(ctx, o.window); err != nil {
		return 0, err
	}
	to, after, serverAfter := time.Now(), usageOf(c.worker.PID()), usageOf(c.Temporal.PID())
	late := c.looks.late(from, to, firstLook, lookEvery)
	p99, span := quantile(late, 0.99), to.Sub(from).Seconds()
	fmt.Fprintf(o.progress, "%d rollouts: %d looks, p99 %.2f s late\n", n, len(late), p99)
	t.Add(fmt.Sprint(n), fmt.Sprint(len(late)),
		fmt.Sprintf("%.2f", quantile(late, 0.5)), fmt.Sprintf("%.2f", p99), fmt.Sprintf("%.2f", quantile(late, 1)),
		fmt.Sprint(after.rss>>20), fmt.Sprint((after.rss-idle.rss)/n>>10),
		fmt.Sprintf("%.2f", (after.cpu-before.cpu)/span), fmt.Sprintf("%.2f", (serverAfter.cpu-server.cpu)/span), fmt.Sprintf("%.0f", rate))
	if !watched {
		t.Note("Of %d rollouts only %d were being watched after %s.", n, c.looks.watched(), patience)
		return lookEvery.Seconds() + 1, nil
	}
	return p99, ctx.Err()
}

// grow starts rollouts until there are n.
func (c *crowd) grow(ctx context.Context, n int) error {
	const atOnce = 32
	var next atomic.Int64
	next.Store(int64(c.count))
	var wg sync.WaitGroup
	errs := make([]error, atOnce)
	for w := range atOnce {
		wg.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				errs[w] = c.startOne(ctx, i)
			}
		})
	}
	wg.Wait()
	c.count = n
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) startOne(ctx context.Context, i int) error {
	s, err := bakingSpec(i)
	if err != nil {
		return err
	}
	f := fleet.Fleet{Targets: c.fleet.Targets[perRollout*i : perRollout*(i+1)]}
	_, err = c.start(ctx, s, f)
	return err
}

// bakingSpec is a spec of a unit of its own, whose first stage bakes for long.
func bakingSpec(i int) (spec.Spec, error) {
	return parse(fmt.Sprintf(`unit: u-%d
release: %q
fleet: fleet.yaml
driver: {http: {url: "http://{{address}}/sluice/v1/units/%s"}}
stages:
  - {name: canary, count: 1, bake: 2h}
  - {name: everyone, reach: 100%%, bake: 2h}
health:
  scrape: {baseline: 1s}
  every: %s
  checks: [{name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 10%%}]
`, i, after, unit, lookEvery))
}

// await waits until n rollouts have changed a target and looked at it.
func (c *crowd) await(ctx context.Context, n int, limit time.Duration) bool {
	for end := time.Now().Add(limit); c.looks.watched() < n; {
		if time.Now().After(end) || pause.For(ctx, 200*time.Millisecond) != nil {
			return false
		}
	}
	return true
}
