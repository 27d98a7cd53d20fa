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
	r := &rig{}
	return r, edges.Start(ctx, s, "haproxy", out, func(all *edges.Rig, p edges.Programs) error {
		r.Rig = all
		return r.start(ctx, p)
	})
}

func (r *rig) start(ctx context.Context, p edges.Programs) error {
	if err := r.startEdges(ctx, p.Edge); err != nil {
		return err
	}
	const good = `haproxy_frontend_http_responses_total{proxy="edge",code="2xx"}`
	err := r.Measure(ctx, p, "HAProxies on release "+firstRelease, good, 20*time.Second)
	if err != nil {
		return err
	}
	for name, of := range specs() {
		replace := append([]string{"http://127.0.0.1:9090", r.Prometheus, "examples/haproxy/edge", r.Example("edge")}, of.replace...)
		if _, err := r.WriteSpec(of.file, name, replace...); err != nil {
			return err
		}
	}
	return nil
}

// startEdges starts a HAProxy for every target.
func (r *rig) startEdges(ctx context.Context, haproxy string) error {
	for _, t := range r.Targets {
		e := &edge{Target: t}
		if err := e.install(r.Example("releases"), r.Backend.Address); err != nil {
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

// Tell says how to use what runs.
func (r *rig) Tell() {
	r.Links(fmt.Sprintf("specs, fleet  %s\nan edge       http://%s/__release", r.Dir, r.edges[0].Address), filepath.Join(r.Dir, specGood), "")
}
