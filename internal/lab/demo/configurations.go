package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/lab/hosts"
)

// hostCount is how many hosts have an agent.
const hostCount = 5

// configurationText is the spec of a folder of files. Its checks read a page of each host's
// metrics.
const configurationText = `unit: %s
bundle: ./%s
version: %q
fleet: %s
fallback: remove
driver: {agent: {url: "http://{{label.agent}}"}}
stages:
  - {name: canary, count: 1, bake: 3s}
  - {name: everyone, reach: 100%%, bake: 3s}
health:
  scrape: {baseline: 2s}
  every: 1s
  checks:
    - {name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 5%%}
`

// configuration is a folder of files, and how its rollout ends.
type configuration struct {
	scene, folder, version string
	refuse                 string // the host whose check refuses it
	code                   int    // of sluice start --wait
	count                  *int   // in the tally
}

// configurations rolls out folders of files to hosts with an agent each: one that works, one that a
// single host's own check refuses, and one that passes every check and does harm.
func (d *demo) configurations(ctx context.Context, agent string) error {
	fleet, err := hosts.Open(ctx, d.Stack, agent, hostCount)
	if err != nil {
		return err
	}
	defer fleet.Close()
	known, first := map[string]bundle.Bundle{}, ""
	for _, c := range []configuration{
		{
			scene: fmt.Sprintf("5. A configuration, a folder of files, goes to %d hosts with an agent each", hostCount), folder: "features-1",
			version: "features-1", count: &d.tally.promoted,
		},
		{
			scene: "6. The next one is refused by the check of host-3, before any host has switched", folder: "features-2",
			version: "features-2", refuse: "host-3\n", code: 6, count: &d.tally.refused,
		},
		{
			scene: "7. Another passes every check, and hosts answer errors with it", folder: "features-3",
			version: "harmful 3", code: 3, count: &d.tally.rolledBack,
		},
	} {
		d.scene("%s", c.scene)
		b, code, err := d.configure(ctx, c)
		if err != nil {
			return err
		}
		if known[b.Release()] = b; first == "" {
			first = b.Release()
		}
		if code == c.code {
			*c.count++
		} else {
			d.say("it did NOT end so: exit %d, expected %d", code, c.code)
		}
	}
	right := 0
	for _, h := range fleet.Hosts {
		if release, err := h.Behind(known); err == nil && release == first && h.Loaded() == "features-1" {
			right++
		}
	}
	d.say("%d of %d hosts run features-1, by the hash of each file behind their link.", right, hostCount)
	d.tally.wrong += hostCount - right
	return nil
}

// configure writes a configuration and its spec, and rolls it out. It answers the exit code of
// sluice.
func (d *demo) configure(ctx context.Context, c configuration) (bundle.Bundle, int, error) {
	dir := filepath.Join(d.Dir, c.folder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return bundle.Bundle{}, 0, err
	}
	files := map[string]string{"version": c.version + "\n"}
	if c.refuse != "" {
		files["refuse"] = c.refuse
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return bundle.Bundle{}, 0, err
		}
	}
	b, err := bundle.Build(ctx, dir, io.Discard)
	if err != nil {
		return b, 0, err
	}
	path := filepath.Join(d.Dir, c.folder+".yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, configurationText, hosts.Unit, c.folder, c.folder, hosts.FleetFile), 0o644); err != nil {
		return b, 0, err
	}
	code, err := d.sluice(ctx, "start", "--wait", "--store", filepath.Join(d.Dir, "store"), path)
	return b, code, err
}
