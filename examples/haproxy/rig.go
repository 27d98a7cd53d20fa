package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/lab/edges"
)

// unit is what the example rolls out; the edges start on firstRelease.
const (
	unit         = "edge"
	firstRelease = "1.0.0"
)

// rig is everything that runs, the edges too. Close it.
type rig struct {
	*edges.Rig
	edges []*edge
}

// bringUp starts everything and waits until Prometheus has seen traffic on every edge for a while.
func bringUp(ctx context.Context, s edges.Settings, out io.Writer) (*rig, error) {
	p, err := s.Find("haproxy")
	if err != nil {
		return nil, err
	}
	r := &rig{}
	if r.Rig, err = edges.Start(ctx, s, out); err != nil {
		return nil, err
	}
	if err := r.start(ctx, s, p); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, s edges.Settings, p edges.Programs) error {
	if err := r.startEdges(ctx, p.Edge, s); err != nil {
		return err
	}
	if err := r.StartPrometheus(ctx, p.Prometheus); err != nil {
		return err
	}
	for name, of := range specs() {
		replace := append([]string{"http://127.0.0.1:9090", r.Prometheus, "examples/haproxy/edge", filepath.Join(s.Example, "edge")}, of.replace...)
		if _, err := r.WriteSpec(of.file, name, replace...); err != nil {
			return err
		}
	}
	if err := r.StartTraffic(p.Vegeta); err != nil {
		return err
	}
	fmt.Fprintf(r.Out, "Temporal (Web UI %s), a worker, Prometheus (%s), %d HAProxies on release %s, "+
		"and vegeta with %d requests a second are up.\n",
		r.UI, r.Prometheus, len(r.edges), firstRelease, edges.RequestsPerSecond)
	return r.UntilMeasured(ctx, `haproxy_frontend_http_responses_total{proxy="edge",code="2xx"}`, 20*time.Second)
}

// startEdges starts a HAProxy for every target.
func (r *rig) startEdges(ctx context.Context, haproxy string, s edges.Settings) error {
	for _, t := range r.Targets {
		e := &edge{Target: t}
		if err := e.install(filepath.Join(s.Example, "releases"), r.Backend.Address); err != nil {
			return err
		}
		if err := r.Spawn(r.NewProcess(t.ID, "env", e.argv(haproxy, r.Backend.Address)...)); err != nil {
			return err
		}
		r.edges = append(r.edges, e)
	}
	return edges.Until(ctx, 20*time.Second, "every HAProxy to answer", func(ctx context.Context) error {
		_, err := r.answers(ctx)
		return err
	})
}

// Links says how to use what runs.
func (r *rig) Links(out io.Writer) {
	fmt.Fprintf(out, `
Web UI        %[1]s
Prometheus    %[2]s
specs, fleet  %[3]s
an edge       http://%[4]s/__release

In another terminal:

  export TEMPORAL_ADDRESS=%[5]s SLUICE_UI=%[1]s
  bin/sluice start --wait %[3]s/good.yaml

Ctrl-C stops everything.
`, r.UI, r.Prometheus, r.Dir, r.edges[0].Address, r.Address)
}
