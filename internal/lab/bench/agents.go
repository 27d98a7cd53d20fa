package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/table"
)

// measureAgents has many real agents prepare a bundle, switch to it, and go back to the one before:
// by a rollout that is aborted while it bakes, and by bare goroutines that make the same HTTP
// calls.
func measureAgents(ctx context.Context, o options) (*table.Table, error) {
	n, limited := o.agentsThatFit()
	r, err := newRig(ctx, o)
	defer r.close()
	if err != nil {
		return nil, err
	}
	c, err := openHost(ctx, n)
	defer c.close()
	if err != nil {
		return nil, err
	}
	used := func() float64 { return cpuOf(os.Getpid(), r.Temporal.PID()) }
	m := newMetered(r.activities(), used)
	if err := r.work(m); err != nil {
		return nil, err
	}
	d := newDirect(fleet.Fleet{Targets: c.targets})
	defer d.client.CloseIdleConnections()
	first, err := r.bundle(ctx, 0)
	if err != nil {
		return nil, err
	}
	if _, err := r.directAgents(ctx, d, used, first, first); err != nil {
		return nil, err
	}
	var sluice, bare []trip
	for i := 0; o.more(i); i++ {
		one, err := r.agentsTrip(ctx, m, c, d, first, 2*i+1)
		if err != nil {
			return nil, err
		}
		next, err := r.bundle(ctx, 2*i+2)
		if err != nil {
			return nil, err
		}
		other, err := r.directAgents(ctx, d, used, next, first)
		if err != nil {
			return nil, err
		}
		if i > 0 { // the first warms up
			sluice, bare = append(sluice, one), append(bare, other)
		}
	}
	return c.compared(n, limited, sluice, bare), nil
}

// compared is the table of both ways.
func (c *host) compared(n int, limited string, sluice, bare []trip) *table.Table {
	t := &table.Table{
		Title: fmt.Sprintf("%d agents prepare, switch and go back: a rollout against bare goroutines with the same HTTP calls", n),
		Head:  tripHead("way"),
	}
	addTrips(t, nil, []way{
		{"prepare: ask, bring the bundle, ask again", func(x trip) leg { return x.prepare }},
		{"forward: observe all, then switch all", func(x trip) leg { return x.forward }},
		{"back: from the abort to the outcome", func(x trip) leg { return x.back }},
	}, sluice, bare, n)
	t.Note("Real agents in this process, each with a folder of its own in %s and no commands for a consumer: "+
		"they take %.0f KiB of memory each. "+
		"What an agent does once a minute (looking for drift) is left out.%s Parallel %d each way. "+
		"Processor time is that of the worker, the agents and the Temporal server together. %s",
		c.place, float64(c.memory)/float64(n)/1024, limited, agentsParallel, mediansOf(len(sluice)))
	return t
}

const (
	// agentsParallel is how many agents are asked at once.
	agentsParallel = 50
	// otherFiles is how many open files are left to everything but the agents' locks.
	otherFiles = 2000
)

// agentsThatFit is how many agents this process can hold, and a note where these are fewer than
// asked for.
func (o options) agentsThatFit() (n int, limited string) {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil || files.Cur >= uint64(o.agents+otherFiles) {
		return o.agents, ""
	}
	return max(10, int(files.Cur)-otherFiles), fmt.Sprintf(" Fewer than %d, since this process may open only %d files.", o.agents, files.Cur)
}

// bundle keeps a bundle whose one file of 4 KiB differs by a number.
func (r *rig) bundle(ctx context.Context, i int) (bundle.Bundle, error) {
	dir, err := os.MkdirTemp(r.dir, "bundle-")
	if err != nil {
		return bundle.Bundle{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "features.json"), fmt.Appendf(nil, "%4096d", i), 0o644); err != nil {
		return bundle.Bundle{}, err
	}
	return bundle.Kept{Store: r.store}.Build(ctx, dir)
}

// agentsTrip is a trip of a rollout, and what the agents run after it is asked.
func (r *rig) agentsTrip(ctx context.Context, m *metered, c *host, d *direct, first bundle.Bundle, i int) (trip, error) {
	b, err := r.bundle(ctx, i)
	if err != nil {
		return trip{}, err
	}
	s, err := specOf(unit, b.Release(), "agent: {}", "  - {name: everyone, reach: 100%, bake: 1h}", "scrape: {baseline: 1s}, every: 2s")
	if err != nil {
		return trip{}, err
	}
	s.Apply.Parallel, s.Rollback.Parallel = agentsParallel, agentsParallel
	t, err := r.trip(ctx, m, s, fleet.Fleet{Targets: c.targets})
	if err != nil {
		return trip{}, err
	}
	return t, d.each(agentsParallel, func(url string) error { return d.observe(ctx, url, first.Release()) })
}

// directAgents takes the agents to one bundle and back to another without Sluice.
func (r *rig) directAgents(ctx context.Context, d *direct, used func() float64, to, back bundle.Bundle) (t trip, err error) {
	archive, err := bundle.Kept{Store: r.store}.Open(ctx, to)
	if err != nil {
		return t, err
	}
	defer func() { _ = archive.Close() }() // only read
	piece, err := io.ReadAll(io.MultiReader(bytes.NewReader(to.Head()), archive))
	if err != nil {
		return t, err
	}
	fence := time.Now().UnixMilli() * 2
	for _, part := range []struct {
		leg *leg
		do  func() (time.Duration, error)
	}{
		{&t.prepare, func() (time.Duration, error) { return d.prepare(ctx, to.Release(), piece, agentsParallel) }},
		{&t.forward, func() (time.Duration, error) { return d.forward(ctx, to.Release(), fence, agentsParallel) }},
		{&t.back, func() (time.Duration, error) { return d.back(ctx, back.Release(), fence+1, agentsParallel) }},
	} {
		before := used()
		took, err := part.do()
		if err != nil {
			return t, err
		}
		*part.leg = leg{took.Seconds(), used() - before}
	}
	return t, nil
}

// host has agents in this process, behind one address.
type host struct {
	targets []fleet.Target
	agents  []*agent.Agent
	memory  int // of this process, for all of them
	place   string
	dir     string
	server  *http.Server
}

// openHost opens n agents. Their folders are in memory where there is room, so that it is not the
// disk that is measured.
func openHost(ctx context.Context, n int) (*host, error) {
	const perAgent = 300 << 10 // of a folder, in bytes
	c := &host{place: "memory (/dev/shm)"}
	parent := "/dev/shm"
	var free syscall.Statfs_t
	if syscall.Statfs(parent, &free) != nil || int64(free.Bavail)*free.Bsize < int64(n)*perAgent {
		parent, c.place = "", "the folder for temporary files"
	}
	var err error
	if c.dir, err = os.MkdirTemp(parent, "sluice-bench-"); err != nil {
		return c, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return c, err
	}
	mux, before := http.NewServeMux(), heldNow()
	var served atomic.Int64
	mux.HandleFunc("GET /t/{id}/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} %d\n", served.Add(1000))
	})
	for i := range n {
		id := fmt.Sprintf("agent-%05d", i)
		a, err := openAgent(filepath.Join(c.dir, id), id)
		if err != nil {
			return c, errors.Join(err, listener.Close())
		}
		c.agents = append(c.agents, a)
		c.targets = append(c.targets, fleet.Target{ID: id, Address: listener.Addr().String() + "/t/" + id})
		mux.Handle("/t/"+id+"/sluice/", http.StripPrefix("/t/"+id, a.Handler()))
	}
	c.memory = heldNow() - before
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = c.server.Serve(listener) }() // until it is closed
	return c, nil
}

// heldNow is what this process holds of the machine's memory once it has given back what it can.
func heldNow() int {
	debug.FreeOSMemory()
	return usageOf(os.Getpid()).rss
}

func openAgent(dir, id string) (*agent.Agent, error) {
	folder := filepath.Join(dir, "agent")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	live := filepath.Join(dir, "live")
	config, err := agent.Parse("agent.yaml", fmt.Appendf(nil, "id: %s\nfolder: %s\nunits: {%s: {to: %s}}\n", id, folder, unit, live))
	if err != nil {
		return nil, err
	}
	return agent.Open(config, slog.New(slog.DiscardHandler))
}

// close ends the agents, and removes their folders.
func (c *host) close() {
	if c.server != nil {
		_ = c.server.Close() // nobody asks any more
	}
	for _, a := range c.agents {
		_ = a.Close(context.Background()) // nothing is under way
	}
	_ = os.RemoveAll(c.dir) // a temporary folder
}
