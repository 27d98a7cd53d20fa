package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// A fleet that a program lists is listed by the worker, when the rollout starts, and is in the
// history: the way back needs no store.
func TestFleetFromACommand(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	script := filepath.Join(d.Dir, "list-hosts.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\ntest -z \"$TEMPORAL_ADDRESS\" || exit 65\nexec cat \"$1\"\n"), 0o700))
	listed := func(release, bake, file string) string {
		return d.listed(d.spec(release, bake, ""), "{command: ["+script+", "+filepath.Join(d.Dir, file)+"]}")
	}
	path := listed("2.0.0", "1h", "fleet.yaml")
	require.Contains(t, d.sluice(0, "validate", path).Stderr, "the worker lists it")
	require.Contains(t, d.sluice(0, "plan", path).Stdout, "12 targets in 2 stages")
	d.sluice(0, "start", path)
	s := d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	require.Equal(t, 12, s.Targets)
	require.Contains(t, d.sluice(6, "start", path).Stderr, "already started: the rollout of edge-proxy that runs has the same spec and fleet")
	d.worker.Kill()
	require.NoError(t, os.RemoveAll(filepath.Join(d.Dir, "store")))
	d.bareSignal(rollout.SignalAbort, "")
	require.NoError(t, d.worker.Start())
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	d.allOn("1.0.0")

	d.sluice(0, "start", "--wait", listed("2.0.1", "2s", "fleet.yaml"))
	d.allOn("2.0.1")

	ran := d.sluice(6, "start", "--wait", listed("2.0.2", "2s", "spec-2.0.0.yaml"))
	require.Contains(t, ran.Stdout, "list fleet: output of "+script)
	require.Contains(t, ran.Stdout, "nothing was changed")
	d.allOn("2.0.1")
}

// A fleet is what a real Prometheus knows: a series for each target.
func TestFleetFromPrometheus(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("not run: needs prometheus in the path")
	}
	d := deploy(t, 12)
	prometheus := d.prometheus(path)
	source := func(query, labels string) string {
		return fmt.Sprintf("{prometheus: %q, query: '%s', id: \"{{label.host}}\", "+
			"address: \"{{label.instance}}/t/{{label.host}}\", labels: [%s], timeout: 5s}", prometheus, query, labels)
	}
	path = d.listed(d.spec("2.0.0", "2s", ""), source(`up{job="edge"}`, "region, tier"))
	edit(t, path, "count: 3", "count: 3, spread: region")
	require.Contains(t, d.sluice(0, "plan", path).Stdout, "12 targets in 2 stages")
	d.sluice(0, "start", "--wait", path)
	d.allOn("2.0.0")

	const twice = `up{job="edge"} or up{job="edge"} offset 1s or label_replace(up{job="edge"}, "job", "again", "", "")`
	ran := d.sluice(6, "start", "--wait", d.listed(d.spec("2.0.1", "2s", ""), source(twice, "region")))
	require.Contains(t, ran.Stdout, "are both target")
	ran = d.sluice(2, "plan", d.listed(d.spec("2.0.2", "2s", ""), source(`up{job="edge"}`, "region, rack")))
	require.Contains(t, ran.Stderr, "no label rack")
	require.Contains(t, d.sluice(1, "plan", d.listed(d.spec("2.0.3", "2s", ""), source(`up{job="none"}`, "region"))).Stderr, "has no series")
	d.allOn("2.0.0")
}

// prometheus starts a Prometheus that scrapes every simulated target, and waits until it knows them
// all.
func (d *deployment) prometheus(path string) string {
	d.t.Helper()
	targets := d.inventory().Targets
	var config strings.Builder
	config.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: edge\n    static_configs:\n")
	for _, target := range targets {
		host, _, _ := strings.Cut(target.Address, "/")
		fmt.Fprintf(&config, "      - {targets: [%q], labels: {__metrics_path__: /t/%[2]s/metrics, host: %[2]s, region: %s, tier: %s}}\n",
			host, target.ID, target.Labels["region"], target.Labels["tier"])
	}
	p, url, err := d.NewPrometheus(d.t.Context(), "prometheus", path, d.Dir, config.String())
	require.NoError(d.t, err)
	require.NoError(d.t, p.Start())
	d.t.Cleanup(p.Stop)
	source := spec.FleetSource{
		Prometheus: url, Query: `up{job="edge"} == 1`, ID: "{{label.host}}", Address: "{{label.instance}}", Timeout: spec.Duration(5 * time.Second),
	}
	require.Eventually(d.t, func() bool {
		known, err := inventory.List(d.t.Context(), source, inventory.Deps{})
		return err == nil && len(known.Targets) == len(targets)
	}, 60*time.Second, 200*time.Millisecond)
	return source.Prometheus
}

// listed changes where a spec's fleet comes from.
func (d *deployment) listed(path, source string) string {
	d.t.Helper()
	return edit(d.t, path, "fleet: fleet.yaml", "fleet: "+source)
}
