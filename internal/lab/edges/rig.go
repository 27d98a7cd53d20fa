// Package edges runs real edge programs for the examples: beside a stack, a Prometheus that reads
// their exporters, a service behind them, and traffic (vegeta) on them, whose answers are counted
// by edge, path and status.
package edges

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// Labels that a rig gives each edge: its exporter's address, and its folder.
const (
	LabelMetrics = "metrics"
	LabelSite    = "site"
)

// Rig is everything that runs beside the edges: Temporal, a worker, the service behind them,
// Prometheus and the traffic. Close it.
type Rig struct {
	*stack.Stack
	Out io.Writer
	// Targets are the edges as they run, with their labels.
	Targets []fleet.Target
	// Prometheus is its base URL.
	Prometheus string
	Backend    *Backend
	Traffic    *Traffic

	settings Settings
	closers  []func()
}

// Start finds the programs, of which edge is the example's own, starts Temporal, a worker and the
// service behind the edges, and gives every target of the example's fleet its ports and a folder.
// The fleet file as it is lies in the rig's folder. Then more starts the edges. Where something
// does not work, what runs is ended.
func Start(ctx context.Context, s Settings, edge string, out io.Writer, more func(*Rig, Programs) error) error {
	p, err := s.Find(edge)
	if err != nil {
		return err
	}
	r := &Rig{Out: out, settings: s}
	if err = r.start(ctx); err == nil {
		err = more(r, p)
	}
	if err != nil {
		r.Close()
	}
	return err
}

func (r *Rig) start(ctx context.Context) error {
	var err error
	if r.Stack, err = stack.Start(ctx, r.settings.Bin, r.settings.Dir); err != nil {
		return err
	}
	if _, err := r.Worker(); err != nil {
		return err
	}
	if err := r.startBackend(); err != nil {
		return err
	}
	return r.place(ctx)
}

// place gives every target of the example's fleet free ports and a folder.
func (r *Rig) place(ctx context.Context) error {
	path := filepath.Join(r.settings.Example, "fleet.yaml")
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
		t.Labels[LabelMetrics] = stack.Loopback(ports[2*i+1])
		t.Labels[LabelSite] = filepath.Join(r.Dir, "sites", t.ID)
		r.Targets = append(r.Targets, t)
	}
	return r.WriteFleet()
}

// WriteFleet writes the fleet file of the targets as they are.
func (r *Rig) WriteFleet() error {
	var b bytes.Buffer
	b.WriteString("targets:\n")
	for _, t := range r.Targets {
		var labels []string
		for _, name := range slices.Sorted(maps.Keys(t.Labels)) {
			labels = append(labels, fmt.Sprintf("%s: %q", name, t.Labels[name]))
		}
		fmt.Fprintf(&b, "  - {id: %s, address: %q, labels: {%s}}\n", t.ID, t.Address, strings.Join(labels, ", "))
	}
	return os.WriteFile(filepath.Join(r.Dir, "fleet.yaml"), b.Bytes(), 0o644)
}

// WriteSpec writes a spec of the example beside the fleet file, with some words replaced, and
// answers its path.
func (r *Rig) WriteSpec(from, to string, oldnew ...string) (string, error) {
	data, err := os.ReadFile(filepath.Join(r.settings.Example, from))
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.Dir, to)
	return path, os.WriteFile(path, []byte(strings.NewReplacer(oldnew...).Replace(string(data))), 0o644)
}

// Close ends everything that was started, the newest first.
func (r *Rig) Close() {
	for _, end := range slices.Backward(r.closers) {
		end()
	}
	if r.Stack != nil {
		r.Stack.Close()
	}
}

// OnClose is called by Close.
func (r *Rig) OnClose(f func()) { r.closers = append(r.closers, f) }

// Spawn starts a child, unless describing it was an error, and ends it with the rig.
func (r *Rig) Spawn(p *stack.Process, err error) error {
	if err != nil {
		return err
	}
	r.OnClose(p.Stop)
	return p.Start()
}

// Say tells what was seen from the outside.
func (r *Rig) Say(format string, args ...any) { fmt.Fprintf(r.Out, "── "+format+"\n", args...) }

// Until calls ready again and again until it answers no error, for as long as limit.
func Until(ctx context.Context, limit time.Duration, what string, ready func(context.Context) error) error {
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

// Ask answers what is at a URL of an edge.
func Ask(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Close = true // a kept connection would be answered by the worker that was there before a reload
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return string(body), err
}

// Links says how to use what runs: facts are lines about it, spec the file to start a rollout from,
// and env more to export.
func (r *Rig) Links(facts, spec, env string) {
	fmt.Fprintf(r.Out, `
Web UI        %[1]s
Prometheus    %[2]s
%[3]s

In another terminal:

  export TEMPORAL_ADDRESS=%[4]s SLUICE_UI=%[1]s%[5]s
  bin/sluice start --wait %[6]s

Ctrl-C stops everything.
`, r.UI, r.Prometheus, facts, r.Address, env, spec)
}

// Example is the path of a file of the example.
func (r *Rig) Example(name string) string { return filepath.Join(r.settings.Example, name) }
