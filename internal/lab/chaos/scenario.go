package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/rollout"
)

// targets is the size of every fleet, and parallelism and delays are such that each phase lasts
// long enough to be hit.
const (
	targets      = 24
	targetDelay  = 120 * time.Millisecond // of every answer of a target
	firstRelease = "1.0.0"

	// decideWithin is a spec's least default. A watch whose worker or server dies is missed for 15
	// s, and the numbers of that time with it: a gate that waits for less gives up a good release
	// for it, and rightly so.
	decideWithin = time.Minute
	every        = 400 * time.Millisecond
	shortBake    = 1500 * time.Millisecond // where the fleet's own pages are read
)

// scenario is a release with its spec, and how its rollout must end whatever is killed.
type scenario struct {
	name    string
	release string
	end     rollout.Phase
	// phases are those that its rollout goes through, and stages how many.
	phases []phase
	stages int
	// aborted is set when a person aborts it, persuaded when one promotes it.
	aborted, persuaded bool
	// minSamples, decideWithin and undecided go into the spec, when set.
	minSamples   int
	decideWithin time.Duration
	undecided    string
	// cut is how it cuts the fleet, in stages, and more is what else its spec says, when set.
	cut, more string
}

const never = 1_000_000_000 // more events than any rollout sees

// scenarios are all of them. The simulated fleet makes a release behave as its suffix says.
func scenarios() []scenario {
	forward := []phase{plan, observe, apply, bake, gate}
	holding := append(slices.Clone(forward), hold)
	back := append(slices.Clone(forward), rollback, verify)
	return []scenario{
		{name: "good", release: "2.0.0", end: rollout.PhasePromoted, phases: forward, stages: 3},
		{name: "flaky", release: "2.0.0-flaky", end: rollout.PhasePromoted, phases: forward, stages: 3},
		// Its canary has too little traffic for a verdict when its bake is over.
		{name: "scarce", release: "2.0.0", end: rollout.PhasePromoted, phases: holding, stages: 1, minSamples: 700},
		// It never has a verdict, and a person promotes each stage.
		{
			name: "persuaded", release: "2.0.0", end: rollout.PhasePromoted, phases: holding, stages: 3, persuaded: true,
			minSamples: never, decideWithin: time.Second, undecided: "wait",
		},
		// It never has a verdict, and goes back for that.
		{
			name: "mute", release: "2.0.0", end: rollout.PhaseRolledBack, phases: append(slices.Clone(holding), rollback), stages: 1,
			minSamples: never, decideWithin: 3 * time.Second,
		},
		{
			name: "errors", release: "2.0.0-errors", end: rollout.PhaseRolledBack, stages: 1,
			phases: []phase{plan, observe, apply, bake, rollback, verify},
		},
		{name: "dormant", release: "2.0.0-errors-after3s", end: rollout.PhaseRolledBack, phases: back, stages: 1},
		{
			name: "noeffect", release: "2.0.0-noeffect", end: rollout.PhaseRolledBack, stages: 1,
			phases: []phase{plan, observe, apply, bake, rollback},
		},
		// One target refuses it, so that a stage is applied in part: mostly a later one.
		{
			name: "refused", release: "2.0.0-refuse-onebad24", end: rollout.PhaseRolledBack, stages: 2,
			phases: append(slices.Clone(forward), rollback),
		},
		{
			name: "aborted", release: "2.0.0", end: rollout.PhaseAborted, stages: 2, aborted: true,
			phases: append(slices.Clone(forward), rollback),
		},
	}
}

// bears says whether the end of a rollout is known whatever is done to a victim: a database that is
// restored forgets an abort.
func (s scenario) bears(v victim) bool { return v != restored || !s.aborted }

// scenarioWith is a random scenario whose rollout can be hit there.
func scenarioWith(rng *rand.Rand, c cell) scenario {
	all := slices.DeleteFunc(scenarios(), func(s scenario) bool { return !slices.Contains(s.phases, c.phase) || !s.bears(c.victim) })
	return all[rng.IntN(len(all))]
}

// step kills a victim at a random instant of a phase, in some stage.
func (s scenario) step(rng *rand.Rand, p phase, v victim) step {
	return somewhere(rng, p, rng.IntN(s.stages), v)
}

// abort takes the rollout back at a random instant of its way forward.
func (s scenario) abort(rng *rand.Rand) step {
	forward := []phase{observe, apply, bake, gate}
	return somewhere(rng, forward[rng.IntN(len(forward))], rng.IntN(s.stages))
}

const stagesText = `  - {name: canary, count: 3, bake: %[1]s, decideWithin: %[2]s%[3]s}
  - {name: half, reach: 50%%, spread: region, bake: %[1]s, decideWithin: %[2]s%[3]s}
  - {name: everyone, reach: 100%%, bake: %[1]s, decideWithin: %[2]s%[3]s}
`

// spec is the rollout's specification. Its checks ask the fleet's own pages, or a Prometheus.
func (s scenario) spec(unit, prometheus string) string {
	undecided, minSamples := "", 40
	if s.undecided != "" {
		undecided = ", undecided: " + s.undecided
	}
	if s.minSamples > 0 {
		minSamples = s.minSamples
	}
	bake, where := shortBake, "  scrape: {baseline: 1s}\n"
	bad, total := `http_requests_total{code=~"5.."}`, `http_requests_total`
	if prometheus != "" {
		bake = 3 * time.Second
		if minSamples != never {
			minSamples = min(minSamples, 450) // of what the canary shows in a window
		}
		where = fmt.Sprintf("  prometheus: %s\n  identify: {label: target, value: \"{{id}}\"}\n  window: 5s\n  staleAfter: 2s\n",
			prometheus)
		bad = `sum(increase(http_requests_total{code=~"5..",$exposed}[$window]))`
		total = `sum(increase(http_requests_total{$exposed}[$window]))`
	}
	return fmt.Sprintf(`unit: %s
release: %q
fleet: fleet.yaml
driver: {http: {timeout: 2s}}
apply: {batch: 4, parallel: 3, attempts: 4}
rollback: {deadline: 30s, parallel: 6, recover: 5s}
stages:
%shealth:
%s  every: %s
  checks:
    - name: errors
      bad: %s
      total: %s
      max: 5%%
      minSamples: %d
%s`, unit, s.release, fmt.Sprintf(cmp.Or(s.cut, stagesText), bake, s.patience(), undecided), where, every, bad, total, minSamples, s.more)
}
