package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// unit is what the example rolls out; the edges start on firstRelease.
const (
	unit         = "edge"
	firstRelease = "1.0.0"
)

// rig is everything that runs: Temporal, a worker, the edges, the service behind them, Prometheus and the traffic. Close it.
type rig struct {
	*stack.Stack
	out        io.Writer
	edges      []*edge
	prometheus string // base URL
	traffic    *traffic
	closers    []func()
	// failsEvery says which answers of the service behind the edges are failures.
	failsEvery atomic.Int64
}

// bringUp starts everything and waits until Prometheus has seen traffic on every edge for a while.
func bringUp(ctx context.Context, s settings, out io.Writer) (*rig, error) {
	r := &rig{out: out}
	if err := r.start(ctx, s); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, s settings) error {
	p, err := findPrograms(s)
	if err != nil {
		return err
	}
	if r.Stack, err = stack.Start(ctx, s.bin, s.dir); err != nil {
		return err
	}
	if _, err := r.Worker(); err != nil {
		return err
	}
	if err := r.startEdges(ctx, p.haproxy, s); err != nil {
		return err
	}
	if err := r.startPrometheus(ctx, p.prometheus); err != nil {
		return err
	}
	if err := writeSpecs(s, r.prometheus); err != nil {
		return err
	}
	if err := r.startTraffic(p.vegeta); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "Temporal (Web UI %s), a worker, Prometheus (%s), %d HAProxies on release %s, "+
		"and vegeta with %d requests a second are up.\n",
		r.UI, r.prometheus, len(r.edges), firstRelease, requestsPerSecond)
	return r.untilMeasured(ctx)
}

// Close ends everything that was started, the newest first.
func (r *rig) Close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
	if r.Stack != nil {
		r.Stack.Close()
	}
}

func (r *rig) onClose(f func()) { r.closers = append(r.closers, f) }

// spawn starts a child, unless describing it was an error, and ends it with the rig.
func (r *rig) spawn(p *stack.Process, err error) error {
	if err != nil {
		return err
	}
	r.onClose(p.Stop)
	return p.Start()
}

// startEdges gives every target of the example's fleet its ports and a folder,
// writes the fleet as it is, and starts the processes.
func (r *rig) startEdges(ctx context.Context, haproxy string, s settings) error {
	backend, err := r.startBackend()
	if err != nil {
		return err
	}
	path := filepath.Join(s.example, "fleet.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := fleet.Parse(path, data)
	if err != nil {
		return err
	}
	ports, err := stack.FreePorts(ctx, 2*len(f.Targets))
	if err != nil {
		return err
	}
	for i, t := range f.Targets {
		t.Address = stack.Loopback(ports[2*i])
		t.Labels["metrics"] = stack.Loopback(ports[2*i+1])
		t.Labels["site"] = filepath.Join(r.Dir, "sites", t.ID)
		e := &edge{Target: t}
		if err := e.install(filepath.Join(s.example, "releases", firstRelease+".cfg"), backend); err != nil {
			return err
		}
		if err := r.spawn(r.NewProcess(t.ID, "env", e.argv(haproxy, backend)...)); err != nil {
			return err
		}
		r.edges = append(r.edges, e)
	}
	if err := writeFleet(filepath.Join(r.Dir, "fleet.yaml"), r.edges); err != nil {
		return err
	}
	return until(ctx, 20*time.Second, "every HAProxy to answer", func(ctx context.Context) error {
		_, err := r.answers(ctx)
		return err
	})
}

// writeSpecs copies the example's specs beside the fleet file, with the addresses of this run in them.
func writeSpecs(s settings, prometheus string) error {
	actual := strings.NewReplacer("http://127.0.0.1:9090", prometheus, "examples/haproxy/edge", filepath.Join(s.example, "edge"))
	for _, c := range []string{specGood, specBad, specRefused, specTwice, specShared} {
		data, err := os.ReadFile(filepath.Join(s.example, c))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.dir, c), []byte(actual.Replace(string(data))), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// until calls ready again and again until it answers no error.
func until(ctx context.Context, limit time.Duration, what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if err := pause.For(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %s: %w", what, errors.Join(err, last))
		}
	}
}

// links says how to use what runs.
func (r *rig) links(out io.Writer) {
	fmt.Fprintf(out, `
Web UI        %[1]s
Prometheus    %[2]s
specs, fleet  %[3]s
an edge       http://%[4]s/__release

In another terminal:

  export TEMPORAL_ADDRESS=%[5]s SLUICE_UI=%[1]s
  bin/sluice start --wait %[3]s/good.yaml

Ctrl-C stops everything.
`, r.UI, r.prometheus, r.Dir, r.edges[0].Address, r.Address)
}
