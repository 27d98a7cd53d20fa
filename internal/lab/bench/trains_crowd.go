package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/pause"
)

// used is what a crowd's worker and server took in a window.
type used struct{ worker, server, late, workerMiB, serverMiB float64 }

// measureTrainCrowd lets as many rollouts bake in trains of their own as alone, at the same time,
// each crowd on a server and a worker of its own: what else the machine does bears on both.
func measureTrainCrowd(ctx context.Context, o options, t *table.Table) error {
	most := o.ramp[len(o.ramp)-1]
	train, err := newCrowd(ctx, o, most)
	defer train.close()
	if err != nil {
		return err
	}
	train.train = true
	alone, err := newCrowd(ctx, o, most)
	defer alone.close()
	if err != nil {
		return err
	}
	crowds := [2]*crowd{train, alone}
	for _, n := range o.ramp {
		if time.Until(o.until) < o.measuring() {
			t.Note("%d trains were not tried: the %s were over.", n, o.limit)
			break
		}
		if err := level(ctx, o, t, crowds, n); err != nil {
			return err
		}
	}
	t.Note("Rows with a number of rollouts: that many bake in trains of their own, and as many alone, in the same minutes; "+
		"each of the two has a server and a sluice-worker of its own. "+
		"Each rollout has %d targets and looks every %s. Medians of %d windows of %s (least to most); "+
		"a train looks after its rollouts once a minute.", perRollout, lookEvery, o.repeat, o.window)
	return nil
}

// level grows both crowds to n, and measures them in the same windows.
func level(ctx context.Context, o options, t *table.Table, crowds [2]*crowd, n int) error {
	var starts [2][]string
	group, growing := errgroup.WithContext(ctx)
	for i, c := range crowds {
		group.Go(func() (err error) {
			starts[i], err = c.grow(growing, o, n)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	baking := [2]int{crowds[0].looks.watched(), crowds[1].looks.watched()}
	if err := pause.For(ctx, lookEvery+firstLook); err != nil {
		return err
	}
	var seen [2][]used
	for range o.repeat {
		now, err := window(ctx, o, crowds)
		if err != nil {
			return err
		}
		fmt.Fprintf(o.progress, "%d trains, and as many rollouts alone: %+v\n", n, now)
		for i, u := range now {
			seen[i] = append(seen[i], u)
		}
	}
	row := func(what, format string, of func(used) float64) {
		addBeside(t, fmt.Sprintf("%d rollouts: %s", n, what), format, each(seen[0], of), each(seen[1], of))
	}
	row("worker, cores", "%.3f", func(u used) float64 { return u.worker })
	row("server, cores", "%.3f", func(u used) float64 { return u.server })
	late := func(u used) float64 { return u.late }
	t.Add(fmt.Sprintf("%d rollouts: look late, p99 s", n), spread(each(seen[0], late), "%.2f"), spread(each(seen[1], late), "%.2f"), "-")
	row("worker, MiB", "%.0f", func(u used) float64 { return u.workerMiB })
	row("server, MiB", "%.0f", func(u used) float64 { return u.serverMiB })
	for i, what := range []string{"started per s", "worker, ms of a core per start", "server, ms of a core per start"} {
		t.Add(fmt.Sprintf("%d rollouts: %s", n, what), starts[0][i], starts[1][i], "-")
	}
	if min(baking[0], baking[1]) < n {
		t.Note("Of %d rollouts %d in trains and %d alone were baking when the measuring began; the others were still on their way.",
			n, baking[0], baking[1])
	}
	return nil
}

// window lets a while pass, and answers what each crowd took in it.
func window(ctx context.Context, o options, crowds [2]*crowd) (out [2]used, err error) {
	from, had := time.Now(), [2][2]usage{}
	for i, c := range crowds {
		had[i] = [2]usage{usageOf(c.worker.PID()), usageOf(c.Temporal.PID())}
	}
	err = pause.For(ctx, o.window)
	to := time.Now()
	for i, c := range crowds {
		span, worker, server := to.Sub(from).Seconds(), usageOf(c.worker.PID()), usageOf(c.Temporal.PID())
		out[i] = used{
			(worker.cpu - had[i][0].cpu) / span, (server.cpu - had[i][1].cpu) / span, quantile(c.looks.late(from, to), 0.99),
			float64(worker.rss >> 20), float64(server.rss >> 20),
		}
	}
	return out, err
}
