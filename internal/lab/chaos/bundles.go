package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/lab/hosts"
	"github.com/sluicehq/sluice/internal/rollout"
)

// Phases that only rollouts of bundles have.
const (
	prepare phase = "prepare"
	settle  phase = "settle"
)

// Victims that only rollouts of bundles have.
const (
	oneAgent  victim = "agent"
	allAgents victim = "agents"
	storeGone victim = "store" // its folder is moved away, and back
)

func bundleVictims(behind bool) []victim {
	all := []victim{oneAgent, allAgents, storeGone, worker, server}
	if behind {
		all = append(all, oneRelay)
	}
	return all
}

func bundlePhases() []phase {
	return []phase{plan, prepare, observe, apply, bake, gate, rollback, verify, settle}
}

// hostCount is the size of every fleet of agents.
const hostCount = 8

// cargo is a sort of bundle, and how its rollout ends when nothing is killed.
type cargo struct {
	name   string
	end    rollout.Phase
	phases []phase
}

// cargos are good twice as often, since each good one is what the others go back to.
func cargos() []cargo {
	good := cargo{"good", rollout.PhasePromoted, []phase{plan, prepare, observe, apply, bake, gate, settle}}
	return []cargo{
		good, good,
		{"refused", rollout.PhaseRefused, []phase{plan, prepare}},
		{"harmful", rollout.PhaseRolledBack, []phase{plan, prepare, observe, apply, bake, rollback, verify}},
	}
}

// strike is one fault: whom, and when, and for how long.
type strike struct {
	victim victim
	phase  phase
	stage  int
	after  time.Duration
	down   time.Duration
	host   int
}

// delivery is one rollout of a bundle, and what happens to it.
type delivery struct {
	n       int
	cargo   cargo
	host    int // that refuses, where one does
	strikes []strike
}

// newDelivery is the n-th of a seed, with these victims. It is pure.
func newDelivery(seed uint64, n int, victims []victim) delivery {
	rng := rand.New(rand.NewPCG(seed, 2<<32|uint64(n)))
	all := cargos()
	d := delivery{n: n, cargo: all[rng.IntN(len(all))], host: rng.IntN(hostCount)}
	for range 1 + rng.IntN(3) {
		p := d.cargo.phases[rng.IntN(len(d.cargo.phases))]
		d.strikes = append(d.strikes, strike{
			victim: victims[rng.IntN(len(victims))], phase: p, stage: rng.IntN(2),
			after: time.Duration(rng.Float64() * float64(usual(p))),
			down:  time.Duration(rng.IntN(1200)) * time.Millisecond, host: rng.IntN(hostCount),
		})
	}
	if d.cargo.end != rollout.PhasePromoted {
		for i := range d.strikes {
			d.strikes[i].stage = 0
		}
	}
	slices.SortStableFunc(d.strikes, func(a, b strike) int { return place(a.phase, a.stage) - place(b.phase, b.stage) })
	return d
}

// place orders what a rollout of a bundle goes through.
func place(p phase, stage int) int {
	switch p {
	case prepare:
		return 1
	case settle:
		return 1 << 10
	}
	return position(p, stage)
}

// bundlePhase is the phase that a rollout says it is in.
func bundlePhase(s rollout.State) phase {
	switch {
	case s.Outcome == nil && s.Phase == rollout.PhasePrepare:
		return prepare
	case s.Outcome == nil && s.Phase == rollout.PhaseSettle:
		return settle
	}
	return phaseOf(s)
}

// make writes the files of a delivery: enough of them for a mixture to be one, and each another in
// every version.
func (d delivery) make(ctx context.Context, dir string) (bundle.Bundle, error) {
	version := d.version()
	files := map[string]string{"version": version + "\n"}
	for i := range 30 {
		files[fmt.Sprintf("rules/%02d.txt", i)] = version + fmt.Sprint(rand.New(rand.NewPCG(uint64(d.n), uint64(i))).Perm(200))
	}
	if d.cargo.name == "refused" {
		files["refuse"] = fmt.Sprintf("host-%d\n", d.host+1)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return bundle.Bundle{}, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return bundle.Bundle{}, err
		}
	}
	return bundle.Build(ctx, dir, io.Discard)
}

// spec brings a folder to all agents in two stages.
func (d delivery) spec(driver string) string {
	return fmt.Sprintf(`unit: %s
bundle: ./%s
version: %s-%d
fleet: %s
fallback: remove
driver: %s
apply: {batch: 4, parallel: 3, attempts: 4}
rollback: {deadline: 30s, parallel: 6, recover: 5s}
stages:
  - {name: canary, count: 2, bake: 1s}
  - {name: everyone, reach: 100%%, bake: 1s}
health:
  scrape: {baseline: 1s}
  every: 400ms
  checks:
    - {name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 5%%, minSamples: 40}
`, hosts.Unit, d.folder(), d.cargo.name, d.n, hosts.FleetFile, driver)
}

func (d delivery) version() string { return fmt.Sprintf("%s %d", d.cargo.name, d.n) }

func (d delivery) folder() string { return fmt.Sprintf("bundle-%04d", d.n) }
