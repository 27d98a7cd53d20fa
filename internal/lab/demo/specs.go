package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// unit is what the demo rolls out; the fleet starts on release.
const (
	unit    = "edge-proxy"
	release = "2.4.0"
)

// specText is the demo's spec: four stages, read straight from the targets' own metrics pages.
const specText = `unit: edge-proxy
release: %q
fleet: fleet.yaml
driver:
  http: {}
stages:
  - {name: canary, count: 3, where: {tier: internal}, bake: %s}
  - {name: early, reach: 15%%, spread: region, bake: 10s}
  - {name: half, reach: 50%%, spread: region, bake: 10s}
  - {name: everyone, reach: 100%%, bake: 10s}
health:
  scrape: {baseline: 4s}
  every: 1s
  checks:
    - name: errors
      bad: http_requests_total{code=~"5.."}
      total: http_requests_total
      against: control
      worse: 300%%
    - name: error-ratio
      bad: http_requests_total{code=~"5.."}
      total: http_requests_total
      max: 5%%
`

// writeSpec writes the spec of a release beside the fleet file.
func writeSpec(dir, release, canaryBake string) (string, error) {
	path := filepath.Join(dir, "rollout-"+release+".yaml")
	return path, os.WriteFile(path, fmt.Appendf(nil, specText, release, canaryBake), 0o644)
}
