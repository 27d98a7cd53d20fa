package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// victim is a process that gets killed, or what else is done to a rollout.
type victim string

// The victims, in the order of the matrix.
const (
	worker victim = "worker"
	frozen victim = "frozen" // the worker, by SIGSTOP until SIGCONT
	server victim = "server" // Temporal's
	fleet  victim = "fleet"  // all targets, and with a scrape the source too
	source victim = "source" // Prometheus

	hung    victim = "hung"    // the fleet, by SIGSTOP until SIGCONT: it accepts connections, and answers none
	cut     victim = "cut"     // a second worker comes, with too few descriptors for a way to the targets, and is killed again
	signals victim = "signals" // hundreds of bare signals in one go, none of which ends a rollout
	aborts  victim = "aborts"  // the same with abort and give-up among them
	reset   victim = "reset"   // of the workflow, to any of its workflow tasks
	restart victim = "restart" // terminated, and started again

	shifted  victim = "clock"    // the worker, by one whose clock is ten minutes ahead or behind
	restored victim = "restored" // Temporal's database, to what it was some seconds before
)

// phase is a part of a rollout's life, as the matrix counts it.
type phase string

// The phases, in the order of a rollout's life, and before and after it.
const (
	before   phase = "before"
	plan     phase = "plan"
	observe  phase = "observe"
	apply    phase = "apply"
	bake     phase = "bake"
	gate     phase = "gate"
	hold     phase = "hold"
	rollback phase = "rollback"
	verify   phase = "verify"
	ended    phase = "ended"
)

func victims() []victim {
	return []victim{worker, frozen, cut, shifted, server, restored, fleet, hung, source, signals, aborts, reset, restart}
}

func phases() []phase {
	return []phase{plan, observe, apply, bake, gate, hold, rollback, verify}
}

// back says whether a phase belongs to the way back, and not to a stage.
func (p phase) back() bool { return p == rollback || p == verify || p == ended }

// step is something that happens to a rollout when it is in a phase of a stage.
type step struct {
	phase phase
	stage int // of no meaning on the way back
	// after is how long the rollout is left in the phase first.
	after time.Duration
	// kill are the victims, all at the same instant; none means that the step is an abort.
	kill []victim
	// down is how long they stay dead, before the time that they need to start.
	down time.Duration
	// pick says to which of its workflow tasks a workflow is reset: 0 to the first, 1 to the last;
	// whether a clock is behind, below 0.5, or ahead; and how long a rollout goes on before the
	// database is restored: 0 for no time, 1 for long.
	pick float64
}

func (s step) String() string {
	what := "abort"
	if len(s.kill) > 0 {
		what = fmt.Sprint(s.kill)
	}
	return fmt.Sprintf("%s in %s of stage %d after %s", what, s.phase, s.stage, s.after.Round(time.Millisecond))
}

// trial is one rollout and what happens to it.
type trial struct {
	n          int
	scenario   scenario
	prometheus bool
	steps      []step // in the order of a rollout's life
}

// cell is a place in the matrix.
type cell struct {
	victim victim
	phase  phase
}

// newTrial is the n-th rollout of a seed, with these victims. It is a pure function. Every row of
// trials as long as the matrix has cells aims at each of them once.
func newTrial(seed uint64, n int, all []victim) trial {
	cells := cellsOf(all)
	deck := rand.New(rand.NewPCG(seed, uint64(n/len(cells)))).Perm(len(cells))
	first := cells[deck[n%len(cells)]]
	rng := rand.New(rand.NewPCG(seed, 1<<32|uint64(n)))
	t := trial{n: n, scenario: scenarioWith(rng, first)}
	t.prometheus = slices.Contains(all, source) && (first.victim == source || rng.IntN(3) == 0)
	t.steps = []step{t.scenario.step(rng, first.phase, first.victim)}
	all = slices.DeleteFunc(slices.Clone(all), func(v victim) bool { return v == source && !t.prometheus || !t.scenario.bears(v) })
	for range 1 + rng.IntN(3) {
		p := t.scenario.phases[rng.IntN(len(t.scenario.phases))]
		t.steps = append(t.steps, t.scenario.step(rng, p, all[rng.IntN(len(all))]))
	}
	if rng.IntN(5) == 0 { // two at once
		other := all[rng.IntN(len(all))]
		if s := &t.steps[0]; s.kill[0].process() != other.process() && !s.kill[0].act() && !other.act() {
			s.kill = append(s.kill, other)
		}
	}
	if rng.IntN(12) == 0 { // away for longer than a rollout may forgive
		t.steps[rng.IntN(len(t.steps))].down = 6 * time.Second
	}
	if t.scenario.aborted {
		t.steps = append(t.steps, t.scenario.abort(rng))
	}
	slices.SortStableFunc(t.steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(position(a.phase, a.stage), position(b.phase, b.stage)), cmp.Compare(a.after, b.after))
	})
	return t
}

func cellsOf(all []victim) []cell {
	var out []cell
	for _, v := range all {
		for _, p := range phases() {
			out = append(out, cell{v, p})
		}
	}
	return out
}

// position orders what a rollout goes through.
func position(p phase, stage int) int {
	i := slices.Index(phases(), p)
	switch {
	case p == before:
		return -1
	case p == plan:
		return 0
	case p == ended:
		return 1 << 20
	case p.back():
		return 1<<10 + i
	}
	return 1 + 16*stage + i
}

// usual is about how long a rollout is in a phase: a kill comes at a random instant of that time.
func usual(p phase) time.Duration {
	switch p {
	case plan:
		return 300 * time.Millisecond
	case gate:
		return 150 * time.Millisecond
	case apply:
		return 400 * time.Millisecond
	case rollback, verify:
		return 500 * time.Millisecond
	default:
		return 1200 * time.Millisecond
	}
}

// somewhere is a step at a random instant of a phase.
func somewhere(rng *rand.Rand, p phase, stage int, kill ...victim) step {
	s := step{
		phase: p, stage: stage, kill: kill,
		after: time.Duration(rng.Float64() * float64(usual(p))),
		down:  time.Duration(100+rng.IntN(700)) * time.Millisecond,
		pick:  rng.Float64(),
	}
	if slices.Contains(kill, frozen) { // for less than a bake, for longer than one, for longer than heartbeats are waited for
		s.down = []time.Duration{s.down, 4 * time.Second, 18 * time.Second}[rng.IntN(3)]
	}
	if slices.Contains(kill, hung) || slices.Contains(kill, silent) {
		s.down = []time.Duration{s.down, 3 * time.Second, 8 * time.Second}[rng.IntN(3)]
	}
	if slices.Contains(kill, shifted) { // some looks, or a whole bake
		s.down = []time.Duration{2 * time.Second, 6 * time.Second}[rng.IntN(2)]
	}
	if slices.Contains(kill, cut) {
		s.down = []time.Duration{3 * time.Second, 8 * time.Second}[rng.IntN(2)]
	}
	return s
}

// process is the victim whose process it is.
func (v victim) process() victim {
	switch v {
	case frozen, shifted:
		return worker
	case hung:
		return fleet
	}
	return v
}

// act says that it is something done to the workflow or its database, and not to one process for a
// while.
func (v victim) act() bool {
	return slices.Contains([]victim{signals, aborts, reset, restart, restored, abortOne, terminate, resetTrain, noTrain}, v)
}
