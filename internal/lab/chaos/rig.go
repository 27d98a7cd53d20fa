package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// rig is what one rollout works on: a simulated fleet that keeps its memory through kills, and a
// Prometheus that reads it where the rollout asks one.
type rig struct {
	dir, url        string
	sim, prometheus *stack.Process
	prometheusURL   string
	ids, quiet      []string // of its targets: all, and those that were made silent last
}

// openRig brings the fleet of a trial up, in the trial's own folder.
func (l *lane) openRig(ctx context.Context, t trial, dir, unit string) (*rig, error) {
	ports, err := stack.FreePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	address := stack.Loopback(ports[0])
	f := &rig{dir: dir, url: "http://" + address}
	f.sim, err = l.NewProcess(unit+"-sim", filepath.Join(l.s.bin.Dir, "sluice-sim"),
		"--targets", strconv.Itoa(targets), "--unit", unit, "--release", firstRelease, "--rps-per-target", "40",
		"--delay", targetDelay.String(), "--listen", address, "--state-dir", filepath.Join(dir, "sim"),
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

// startSim starts the fleet, for the first time or again, and waits until it serves.
func (f *rig) startSim(ctx context.Context) error {
	_, err := f.sim.StartUntil(ctx, f.ready())
	return err
}

// scrapeInterval is how often Prometheus reads the fleet.
const scrapeInterval = 250 * time.Millisecond

// watchWithPrometheus starts a Prometheus that reads the fleet, and waits until it has read it for
// as long as the checks look back.
func (l *lane) watchWithPrometheus(ctx context.Context, f *rig, unit string) error {
	config := fmt.Sprintf(`global: {scrape_interval: %[1]s, scrape_timeout: %[1]s}
scrape_configs:
  - job_name: fleet
    static_configs:
      - targets: [%[2]q]
`, scrapeInterval, strings.TrimPrefix(f.url, "http://"))
	var err error
	f.prometheus, f.prometheusURL, err = l.NewPrometheus(ctx, unit+"-prometheus", l.s.prometheus, f.dir, config)
	if err != nil {
		return err
	}
	if err := f.startPrometheus(ctx); err != nil {
		return err
	}
	return pause.For(ctx, 6*time.Second)
}

// startPrometheus starts it, for the first time or again, and waits until it answers.
func (f *rig) startPrometheus(ctx context.Context) error {
	return f.prometheus.StartAnswering(ctx, f.prometheusURL+"/-/ready")
}

// What a target is told to do from now on: not to answer, to answer later than a driver waits for,
// or to answer as before.
const (
	mute = `{"unreachable": true}`
	late = `{"delay": "3s"}`
)

var hear = fmt.Sprintf(`{"unreachable": false, "delay": %q}`, targetDelay)

// silence makes three targets of the fleet answer nothing, or too late.
func (f *rig) silence(ctx context.Context, pick float64) error {
	at := int(pick * targets)
	f.quiet = nil // those of before have been told to answer
	for i := range 3 {
		f.quiet = append(f.quiet, f.ids[(at+7*i)%len(f.ids)])
	}
	return f.control(ctx, []string{mute, late}[at%2])
}

// control tells the targets that are quiet what to do.
func (f *rig) control(ctx context.Context, body string) error {
	for _, id := range f.quiet {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/t/%s/control", f.url, id), strings.NewReader(body))
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("make %s silent, or not: %w", id, err)
		}
		_ = res.Body.Close()
	}
	return nil
}
