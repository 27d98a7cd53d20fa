package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/internal/rollout"
)

// agentTally counts what rollouts of bundles have seen. It is safe for concurrent use.
type agentTally struct {
	what    string
	victims []victim

	mu                      sync.Mutex
	rollouts, faults, looks int
	real                    map[cell]int
	outcomes                map[rollout.Phase]int
	changed                 int
	flaws                   map[string]int
}

// shakeAgents rolls n bundles out to fleets of agents, behind relays or not, while all of them, stores, workers and Temporal servers
// are killed.
func shakeAgents(ctx context.Context, s settings, n int, behind bool, out io.Writer) error {
	what := "agents"
	if behind {
		what = "relayed"
	}
	s.dir = filepath.Join(s.dir, what)
	fmt.Fprintf(out, "\nchaos with agents: seed %d, %d rollouts of bundles to %d agents each, behind relays %t, %d deployments at once, in %s\n",
		s.seed, n, hostCount, behind, s.lanes, s.dir)
	t := &agentTally{what: what, victims: bundleVictims(behind), real: map[cell]int{}, outcomes: map[rollout.Phase]int{}, flaws: map[string]int{}}
	began := time.Now()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for lane := range min(s.lanes, n) {
		group.Go(func() error {
			d, err := s.openDepot(ctx, lane, behind)
			if d != nil {
				defer d.close()
			}
			for err == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					break
				}
				var done delivered
				if done, err = d.deliver(ctx, newDelivery(s.seed, i, t.victims)); err == nil {
					t.add(done, out)
				} else {
					err = fmt.Errorf("rollout %d: %w", i, err)
				}
			}
			return err
		})
	}
	err := group.Wait()
	t.print(out, s.seed, time.Since(began))
	if err == nil && len(t.flaws) > 0 {
		return fmt.Errorf("agents were not left as they should be: see above, and the folders below %s", s.dir)
	}
	return err
}

// add counts a rollout, and tells of it.
func (t *agentTally) add(d delivered, out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rollouts++
	t.looks += d.looks
	t.outcomes[d.state.Outcome.Result]++
	var hits []string
	for _, h := range d.hits {
		t.faults++
		t.real[cell{h.victim, h.real}]++
		hits = append(hits, h.String())
	}
	fmt.Fprintf(out, "#%03d %-8s %-11s %5.1fs  %s\n", d.delivery.n, d.delivery.cargo.name, d.state.Outcome.Result, d.took.Seconds(), strings.Join(hits, ", "))
	if why := d.changed(); why != "" {
		t.changed++
		fmt.Fprintf(out, "     changed end, allowed: %s instead of %s: %s\n", d.state.Outcome.Result, d.delivery.cargo.end, d.state.Outcome.Why)
	}
	for _, f := range d.broken {
		t.flaws[f.kind]++
		fmt.Fprintf(out, "     VIOLATION %s: %s\n", f.kind, f.how)
	}
}

// print writes the matrix of faults and the sums.
func (t *agentTally) print(out io.Writer, seed uint64, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(out, "\nfaults by kind and phase, with "+t.what)
	printMatrix(out, t.real, t.victims, bundlePhases())
	fmt.Fprintf(out, "\noutcomes: %s\n", ends(t.outcomes))
	fmt.Fprintf(out, "%s: seed=%d rollouts=%d faults=%d changed_ends=%d looks=%d mixed=%d in_between=%d unlisted=%d wrong_ends=%d in %s\n",
		t.what, seed, t.rollouts, t.faults, t.changed, t.looks, t.flaws[mixed], t.flaws[between], t.flaws[unlisted], t.flaws[wrongEnd], took.Round(time.Second))
}
