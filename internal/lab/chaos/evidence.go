package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/rollout"
)

// hit is one fault as it came about.
type hit struct {
	victim victim
	wanted phase // that the trial aimed at
	seen   phase // that the rollout last said it was in
	real   phase // by its history
	at, up time.Time
}

// down is how long the victim did not serve.
func (h hit) down() time.Duration { return h.up.Sub(h.at) }

func (h hit) String() string {
	return fmt.Sprintf("%s@%s for %s", h.victim, h.real, h.down().Round(10*time.Millisecond))
}

// evidence is all that is known of a rollout once it is over. What the targets say counts most:
// they are not Sluice.
type evidence struct {
	trial           trial
	release, before string
	cohorts         [][]string // by stage, as planned
	orders          []sim.Entry
	final           []sim.TargetState
	earlier         []rollout.State // of runs before the newest one, oldest first
	state           rollout.State
	hits            []hit
	timeline        timeline
	began, ended    time.Time
}

// words is what a person needs to look into a rollout.
func (e evidence) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "trial %d, %s (release %s, prometheus %t)\n\nsteps:\n", e.trial.n, e.trial.scenario.name, e.release, e.trial.prometheus)
	for _, s := range e.trial.steps {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	fmt.Fprintf(&b, "\nfaults:\n")
	for _, h := range e.hits {
		fmt.Fprintf(&b, "  %s %s, aimed at %s, last seen in %s\n", h.at.Format(clock), h, h.wanted, h.seen)
	}
	fmt.Fprintf(&b, "\nphases:\n")
	for _, m := range e.timeline {
		fmt.Fprintf(&b, "  %s %s\n", m.at.Local().Format(clock), m.phase)
	}
	if o := e.state.Outcome; o != nil {
		fmt.Fprintf(&b, "\noutcome: %s (expected %s): %s\n", o.Result, e.expected(), o.Why)
	}
	return b.String()
}

const clock = "15:04:05.000"
