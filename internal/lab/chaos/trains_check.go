package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/rollout"
)

// The rules that only trains have, as docs/trains.md has them.
const (
	rulePlace rule = "place"   // no younger release is where an older one under way has not passed
	ruleHop   rule = "one hop" // a way back leads to no condemned release, and a condemned one goes no further
	ruleLost  rule = "lost"    // each rollout ends with a result, and its train knows which
)

// trainEvidence is all that is known of a train once it is over: what the targets have logged, and
// how the rollouts say they ended.
type trainEvidence struct {
	trial        trainTrial
	rollouts     []ran // by number, from 1
	orders       []sim.Entry
	final        []sim.TargetState
	hits         []hit
	stuck        bool // not all had ended in time
	trainless    bool // the train was terminated: nobody told rollouts of each other
	began, ended time.Time
}

// ran is one rollout of a train.
type ran struct {
	trainRelease
	cohorts [][]string
	fences  []int64       // of its applies
	state   rollout.State // without a release where it has never begun
	said    string        // its result, as the train knows it
}

// result is how it has ended; empty if it has not.
func (r ran) result() rollout.Phase {
	if r.state.Outcome == nil {
		return rollout.Phase(r.said)
	}
	return r.state.Outcome.Result
}

// names says that its outcome names a target.
func (r ran) names(id string) bool {
	o := r.state.Outcome
	return o != nil && slices.ContainsFunc(slices.Concat(o.NotReverted, o.Unreached), func(t rollout.TargetTrouble) bool {
		return t.ID == id || strings.Contains(t.ID, " ") // a batch, or all
	})
}

// words is what a person needs to look into a train.
func (e trainEvidence) words() string {
	out := fmt.Sprintf("train %d\n", e.trial.n)
	for _, m := range e.trial.moves {
		out += fmt.Sprintln("move", m)
	}
	for _, h := range e.hits {
		out += fmt.Sprintln("fault", h.at.Format(clock), h)
	}
	for i, r := range e.rollouts {
		out += fmt.Sprintf("rollout %d of %s, fences %v: %s (the train: %s), %+v\n",
			i+1, r.state.Release, r.fences, r.result(), r.said, r.state.Outcome)
	}
	return out
}

// checkTrain judges a train by what is known of it. It is pure.
func checkTrain(e trainEvidence) []violation {
	out := e.checkResults()
	if e.stuck {
		return append(out, ruleLost.broken("not all rollouts have ended within %s", trainPatience))
	}
	w := e.walk()
	return slices.Concat(out, w.broken, e.checkPlaces(w), e.checkEnds(w))
}

// checkPlaces looks whether a younger rollout took a target before an older one under way had
// passed there.
func (e trainEvidence) checkPlaces(w *walk) (out []violation) {
	last := map[int]time.Time{} // when a rollout took its last target
	for _, t := range w.targets {
		for n, at := range t.first {
			if at.After(last[n]) {
				last[n] = at
			}
		}
	}
	for id, t := range w.targets {
		for m, at := range t.first {
			for n := 1; n < m; n++ {
				before, took := t.first[n]
				switch off, condemned := w.off[n]; {
				case condemned && off.Before(at):
				case took && e.rollouts[n-1].result() != rollout.PhaseSuperseded && at.Sub(before) < shortBake:
					out = append(out, rulePlace.broken("%s took rollout %d %s after rollout %d, which bakes for %s", id, m, at.Sub(before), n, shortBake))
				case !took && last[n].After(at) && !e.silentBefore(at):
					out = append(out, rulePlace.broken("%s took rollout %d at %s, and rollout %d, which never came there, went on",
						id, m, at.Local().Format(clock), n))
				}
			}
		}
	}
	return out
}

// silentBefore says that targets did not answer for a while, and may have been left out.
func (e trainEvidence) silentBefore(at time.Time) bool {
	return slices.ContainsFunc(e.hits, func(h hit) bool { return h.ofTargets() && h.at.Before(at) })
}

// ofTargets says that targets did not answer.
func (h hit) ofTargets() bool { return h.victim == silent || h.victim.process() == fleet }

// checkEnds looks what each target runs: the youngest release that it has taken and that did not go
// back.
func (e trainEvidence) checkEnds(w *walk) (out []violation) {
	for _, target := range e.final {
		want, newest, named := firstRelease, 0, false
		for n := range w.at(target.ID).first {
			if r := e.rollouts[n-1]; n > newest && !r.result().GoesBack() {
				newest, want = n, r.state.Release
			}
		}
		for _, r := range e.rollouts {
			named = named || r.names(target.ID)
		}
		if target.Release != want && !named {
			out = append(out, ruleEnd.broken("%s runs %q, expected %q, and nobody names it", target.ID, target.Release, want))
		}
	}
	return out
}

// checkResults looks how each rollout has ended.
func (e trainEvidence) checkResults() (out []violation) {
	for i, r := range e.rollouts {
		n := i + 1
		switch {
		case e.trainless || e.stuck: // a train that follows knows nothing of these
		case r.said == "":
			out = append(out, ruleLost.broken("rollout %d of %q is %q, and its train knows nothing of an end", n, r.state.Release, r.result()))
		case r.said != string(r.result()) && r.said != "terminated":
			out = append(out, ruleLost.broken("rollout %d is %s, and its train takes it for %s", n, r.result(), r.said))
		}
		if why := e.wrong(n, r); why != "" {
			out = append(out, ruleSame.broken("rollout %d of %s is %s: %s (%s)", n, r.state.Release, r.result(), why, r.state.Outcome.Why))
		}
		ill := r.harms(r.cohorts)
		if r.result() == rollout.PhasePromoted && slices.ContainsFunc(e.orders, func(o sim.Entry) bool {
			return slices.Contains(ill, o.Target) && slices.Contains(r.fences, o.Fence) && (o.Accepted || o.Status == 422)
		}) {
			out = append(out, ruleVerdict.broken("rollout %d of %s was promoted, and did harm", n, r.state.Release))
		}
	}
	return out
}

// wrong says why a rollout that has begun cannot have ended so; empty if it can.
func (e trainEvidence) wrong(n int, r ran) string {
	had := func(victims ...victim) bool {
		return slices.ContainsFunc(e.hits, func(h hit) bool { return slices.Contains(victims, h.victim) })
	}
	excused := had(reset, terminate) || slices.ContainsFunc(e.hits, func(h hit) bool { return h.ofTargets() && h.down() >= forgiven })
	condemned := func(o ran) bool { return o.result().GoesBack() && o.result() != rollout.PhaseWithdrawn }
	if r.state.Outcome == nil {
		return ""
	}
	switch r.result() {
	case rollout.PhaseRolledBack:
		if r.good() && !excused {
			return "it is good"
		}
	case rollout.PhaseIncomplete, rollout.PhaseRefused:
		if !excused {
			return "all targets answered"
		}
	case rollout.PhaseAborted:
		if !had(abortOne, noTrain, terminate) {
			return "nobody has aborted it"
		}
	case rollout.PhaseWithdrawn:
		if !slices.ContainsFunc(e.rollouts[:n-1], condemned) {
			return "no older one was condemned"
		}
	case rollout.PhaseSuperseded:
		if n == len(e.rollouts) {
			return "there is no younger one"
		}
	}
	return ""
}
