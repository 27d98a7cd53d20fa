package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

// labelAgent is where a host's agent listens.
const labelAgent = "agent"

// narrow is the host whose nginx has smaller hash buckets than the others.
const narrow = "edge-7"

// rig is everything that runs, nginx and agents too. Close it.
type rig struct {
	*edges.Rig
	admin map[string]string // where each nginx says its releases, by id
	due   map[string]string // the bundle that every host should run, by unit
}

// Units, and what their bundles are made of.
const (
	unitRoutes   = "routes"
	unitFlags    = "flags"
	unitFeatures = "features"
)

func files() map[string]string {
	return map[string]string{unitRoutes: "routes.conf", unitFlags: "flags.conf", unitFeatures: "features.json"}
}

// unitOf is the unit of a spec's file.
func unitOf(spec string) string {
	if spec == "rollout.yaml" {
		return unitRoutes
	}
	return strings.TrimSuffix(spec, ".yaml")
}

// bringUp starts everything and waits until Prometheus has seen traffic on every nginx for a while.
// No host has the unit yet.
func bringUp(ctx context.Context, s edges.Settings, out io.Writer) (*rig, error) {
	r := &rig{admin: map[string]string{}, due: map[string]string{}}
	return r, edges.Start(ctx, s, "nginx", out, func(all *edges.Rig, p edges.Programs) error {
		r.Rig = all
		return r.start(ctx, p, filepath.Join(s.Bin.Dir, "sluice-agent"))
	})
}

// generate makes a bundle of features, as the generator has them that may see some databases.
func (r *rig) generate(ctx context.Context, bundle string, databases ...string) error {
	text, err := exec.CommandContext(ctx, r.Example("generate"), databases...).Output() // #nosec G204 -- the example's own
	if err != nil {
		return fmt.Errorf("generate %s: %w", bundle, err)
	}
	dir := filepath.Join(r.Dir, "bundles", bundle)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, files()[unitFeatures]), text, 0o644)
}

func (r *rig) start(ctx context.Context, p edges.Programs, agent string) error {
	if err := os.CopyFS(filepath.Join(r.Dir, "bundles"), os.DirFS(r.Example("bundles"))); err != nil {
		return err
	}
	for bundle, databases := range map[string][]string{unitFeatures: {"default"}, "doubled": {"default", "r0"}} {
		if err := r.generate(ctx, bundle, databases...); err != nil {
			return err
		}
	}
	ports, err := stack.FreePorts(ctx, 2*len(r.Targets))
	if err != nil {
		return err
	}
	for i, t := range r.Targets {
		t.Labels[labelAgent] = stack.Loopback(ports[2*i])
		if err := r.startHost(ctx, p.Edge, agent, t, stack.Loopback(ports[2*i+1])); err != nil {
			return fmt.Errorf("%s: %w", t.ID, err)
		}
	}
	if err := r.WriteFleet(); err != nil {
		return err
	}
	return r.Measure(ctx, p, "nginx with an agent each", `nginx_http_requests_total{status="200"}`, 15*time.Second)
}

// startHost starts one nginx in the foreground, the exporter of its access log, and its agent.
func (r *rig) startHost(ctx context.Context, nginx, agent string, t fleet.Target, admin string) error {
	site := t.Labels[edges.LabelSite]
	if err := os.MkdirAll(filepath.Join(site, "tmp"), 0o755); err != nil {
		return err
	}
	bucket := "256"
	if t.ID == narrow {
		bucket = "64"
	}
	words := strings.NewReplacer("@ID@", t.ID, "@SITE@", site, "@EXAMPLE@", r.Example("."), "@TRAFFIC@", t.Address, "@ADMIN@", admin,
		"@AGENT@", t.Labels[labelAgent], "@BACKEND@", r.Backend.Address, "@BUCKET@", bucket)
	for from, to := range map[string]string{"frame": "nginx.conf", "agent.yaml": "agent.yaml"} {
		text, err := os.ReadFile(r.Example(from))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(site, to), []byte(words.Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	r.admin[t.ID] = admin
	err := r.serve(ctx, "http://"+admin+"/routes", t.ID, nginx, "-p", site, "-e", "stderr", "-c", "nginx.conf", "-g", "daemon off;")
	if err != nil {
		return err
	}
	healthz := "http://" + t.Labels[labelAgent] + "/healthz"
	if err := r.serve(ctx, healthz, t.ID+"-agent", agent, "--config", filepath.Join(site, "agent.yaml")); err != nil {
		return err
	}
	return r.Export(ctx, t)
}

// serve starts a program and waits until it answers.
func (r *rig) serve(ctx context.Context, url, name, program string, args ...string) error {
	p, err := r.NewProcess(name, program, args...)
	if err := r.Spawn(p, err); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return p.Await(ctx, func(ctx context.Context) error {
		_, err := edges.Ask(ctx, url)
		return err
	})
}

// runs asks the live process of an nginx for the release of a unit that it has read.
func (r *rig) runs(ctx context.Context, id, unit string) (string, error) {
	return edges.Ask(ctx, "http://"+r.admin[id]+"/"+unit)
}

// spec writes the spec of an example.
func (r *rig) spec(e example) (string, error) {
	edits := []string{"http://127.0.0.1:9090", r.Prometheus, "bundle: bundles/", "bundle: bundles/" + e.bundle + " # in place of "}
	for _, field := range e.without {
		edits = append(edits, field+":", "# "+field+":")
	}
	return r.WriteSpec(e.spec, unitOf(e.spec)+"-"+e.bundle+".yaml", edits...)
}

// digest is the release that a bundle is.
func (r *rig) digest(ctx context.Context, bundle string) (string, error) {
	ran, err := r.Sluice(ctx, "bundle", "build", filepath.Join(r.Dir, "bundles", bundle), "--output", "json")
	if err != nil {
		return "", err
	}
	var built struct{ Digest string }
	if err := json.Unmarshal([]byte(ran.Stdout), &built); err != nil {
		return "", fmt.Errorf("build %s: %s%w", bundle, ran.Stderr, err)
	}
	return built.Digest, nil
}

// store is the content store that the worker reads.
func (r *rig) store() string { return filepath.Join(r.Dir, "store") }

// Tell says how to use what runs.
func (r *rig) Tell() {
	spec, _ := r.spec(examples()[0]) // the folder is there
	links := fmt.Sprintf("spec, fleet   %s\nbundles       %s/bundles\nan nginx      http://%s/", spec, r.Dir, r.Targets[0].Address)
	r.Links(links, spec, " SLUICE_STORE="+r.store())
}
