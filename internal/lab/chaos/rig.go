package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// rig is what one rollout works on: a simulated fleet that keeps its memory
// through kills, and a Prometheus that reads it where the rollout asks one.
type rig struct {
	dir, url        string
	sim, prometheus *stack.Process
	prometheusURL   string
}

// openRig brings the fleet of a trial up, in the trial's own folder.
func (l *lane) openRig(ctx context.Context, t trial, dir, unit string) (*rig, error) {
	port, err := stack.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	f := &rig{dir: dir, url: "http://" + stack.Loopback(port)}
	f.sim, err = l.NewProcess(unit+"-sim", filepath.Join(l.s.bin.Dir, "sluice-sim"),
		"--targets", strconv.Itoa(targets), "--unit", unit, "--release", firstRelease, "--rps-per-target", "40",
		"--delay", targetDelay.String(), "--listen", stack.Loopback(port), "--state-dir", filepath.Join(dir, "sim"),
		"--fleet-file", filepath.Join(dir, "fleet.yaml"), "--ready-file", f.ready())
	if err != nil {
		return nil, err
	}
	if err := f.startSim(ctx); err != nil {
		return nil, err
	}
	l.Sim, l.SimURL = f.sim, f.url
	if !t.prometheus {
		return f, nil
	}
	if err := l.watchWithPrometheus(ctx, f, unit); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *rig) ready() string { return filepath.Join(f.dir, "sim.ready") }

func (f *rig) close() {
	f.sim.Kill()
	if f.prometheus != nil {
		f.prometheus.Kill()
	}
}

// startSim starts the fleet, for the first time or again, and waits until it
// serves.
func (f *rig) startSim(ctx context.Context) error {
	if err := os.RemoveAll(f.ready()); err != nil {
		return err
	}
	if err := f.sim.Start(); err != nil {
		return err
	}
	_, err := f.sim.AwaitFile(ctx, f.ready())
	return err
}

// scrapeInterval is how often Prometheus reads the fleet.
const scrapeInterval = 250 * time.Millisecond

// watchWithPrometheus starts a Prometheus that reads the fleet, and waits until it
// has read it for as long as the checks look back.
func (l *lane) watchWithPrometheus(ctx context.Context, f *rig, unit string) error {
	port, err := stack.FreePort(ctx)
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`global: {scrape_interval: %[1]s, scrape_timeout: %[1]s}
scrape_configs:
  - job_name: fleet
    static_configs:
      - targets: [%[2]q]
`, scrapeInterval, strings.TrimPrefix(f.url, "http://"))
	path := filepath.Join(f.dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return err
	}
	f.prometheusURL = "http://" + stack.Loopback(port)
	f.prometheus, err = l.NewProcess(unit+"-prometheus", l.s.prometheus, "--config.file="+path,
		"--web.listen-address="+stack.Loopback(port), "--storage.tsdb.path="+filepath.Join(f.dir, "tsdb"), "--log.level=warn")
	if err != nil {
		return err
	}
	if err := f.startPrometheus(ctx); err != nil {
		return err
	}
	return pause.For(ctx, 6*time.Second)
}

// startPrometheus starts it, for the first time or again, and waits until it
// answers.
func (f *rig) startPrometheus(ctx context.Context) error {
	if err := f.prometheus.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if answers(ctx, f.prometheusURL+"/-/ready") {
			return nil
		}
		if !f.prometheus.Running() {
			return fmt.Errorf("prometheus ended before it was ready, see its log")
		}
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("prometheus was not ready in time: %w", err)
		}
	}
}

// answers says whether a page can be read.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
