package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

// The fleet starts on firstRelease, and every case but the first ends on goodRelease.
const (
	firstRelease = "1.0.0"
	goodRelease  = "1.1.0"
)

// rig is everything that runs, the nginx too. Close it.
type rig struct {
	*edges.Rig
	admin    map[string]string // where each nginx says its release, by id
	releases string            // the run's own copy
}

// bringUp starts everything and waits until Prometheus has seen traffic on every nginx for a while.
func bringUp(ctx context.Context, s edges.Settings, out io.Writer) (*rig, error) {
	r := &rig{admin: map[string]string{}, releases: filepath.Join(s.Dir, "releases")}
	return r, edges.Start(ctx, s, "nginx", out, func(all *edges.Rig, p edges.Programs) error {
		r.Rig = all
		return r.start(ctx, p)
	})
}

func (r *rig) start(ctx context.Context, p edges.Programs) error {
	if err := os.CopyFS(r.releases, os.DirFS(r.Example("releases"))); err != nil {
		return err
	}
	ports, err := stack.FreePorts(ctx, 2*len(r.Targets))
	if err != nil {
		return err
	}
	for i, t := range r.Targets {
		if err := r.startEdge(ctx, p.Edge, t, stack.Loopback(ports[2*i]), ports[2*i+1]); err != nil {
			return fmt.Errorf("%s: %w", t.ID, err)
		}
	}
	return r.Measure(ctx, p, "nginx on release "+firstRelease, `nginx_http_requests_total{status="200"}`, 15*time.Second)
}

// startEdge starts one nginx in the foreground, with the exporter of its access log.
func (r *rig) startEdge(ctx context.Context, nginx string, t fleet.Target, admin string, elsewhere int) error {
	site := t.Labels[edges.LabelSite]
	if err := os.MkdirAll(filepath.Join(site, "tmp"), 0o755); err != nil {
		return err
	}
	env := fmt.Sprintf("ID=%s\nTRAFFIC=%s\nADMIN=%s\nBACKEND=%s\nELSEWHERE=%d\nRELEASES=%s\n",
		t.ID, t.Address, admin, r.Backend.Address, elsewhere, r.releases)
	if err := os.WriteFile(filepath.Join(site, "site.env"), []byte(env), 0o644); err != nil {
		return err
	}
	if err := edges.Render(filepath.Join(r.releases, firstRelease+".conf"), filepath.Join(site, "nginx.conf"),
		"@RELEASE@", firstRelease, "@ID@", t.ID, "@TRAFFIC@", t.Address, "@ADMIN@", admin, "@BACKEND@", r.Backend.Address); err != nil {
		return err
	}
	if err := r.Spawn(r.NewProcess(t.ID, nginx, "-p", site, "-e", "stderr", "-c", "nginx.conf", "-g", "daemon off;")); err != nil {
		return err
	}
	r.admin[t.ID] = admin
	if err := edges.Until(ctx, 20*time.Second, "nginx to answer", func(ctx context.Context) error {
		_, err := r.runs(ctx, t.ID)
		return err
	}); err != nil {
		return err
	}
	return r.Export(ctx, t)
}

// runs asks the live process of an nginx for its release.
func (r *rig) runs(ctx context.Context, id string) (string, error) {
	return edges.Ask(ctx, "http://"+r.admin[id]+"/__release")
}

// spec writes the example's spec for a release.
func (r *rig) spec(release string) (string, error) {
	return r.WriteSpec("rollout.yaml", "rollout-"+release+".yaml",
		"http://127.0.0.1:9090", r.Prometheus, "examples/nginx/edge", r.Example("edge"), goodRelease, release)
}

// cohort are the targets of one stage of a spec's plan, counted from 0; from the end where that is
// below it.
func (r *rig) cohort(ctx context.Context, spec string, stage int) ([]string, error) {
	ran, err := r.Sluice(ctx, "plan", "--no-predict", "--output", "json", spec)
	if err != nil {
		return nil, err
	}
	var plan struct{ Stages []struct{ Targets []string } }
	if err := json.Unmarshal([]byte(ran.Stdout), &plan); err != nil || len(plan.Stages) == 0 {
		return nil, fmt.Errorf("plan %s: %s%w", spec, ran.Stderr, err)
	}
	return plan.Stages[(stage+len(plan.Stages))%len(plan.Stages)].Targets, nil
}

// Tell says how to use what runs.
func (r *rig) Tell() {
	spec, _ := r.spec(goodRelease) // the folder is there
	r.Links(fmt.Sprintf("spec, fleet   %s\nreleases      %s\nan nginx      http://%s/", spec, r.releases, r.Targets[0].Address), spec, "")
}
