package main

import (
	"context"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/rollout"
)

// Temporal's index holds only changes that are worth an event, so a list asks the
// rollouts themselves, within bounds: each question takes a worker a moment.
const (
	maxAsked    = 100
	askedAtOnce = 8
	askWithin   = 3 * time.Second
)

// phasePaused is what --phase calls a rollout whose promotion was stopped, in
// whatever phase it is.
const phasePaused = "paused"

// phaseIndexed is how the index calls every phase of a rollout that runs and waits for
// nobody.
const phaseIndexed = "running"

// listing is what a list found.
type listing struct {
	rows []listed
	// asked is how many rollouts were asked, and silent how many of them did not answer.
	asked, silent int
	// unasked is how many that run were not asked: there were too many.
	unasked int
	// more says that there are more than --limit.
	more bool
}

// phases are the words that --phase knows.
func phases() []string {
	var words []string
	for _, p := range []rollout.Phase{
		rollout.PhasePlanning, rollout.PhasePreflight, rollout.PhaseApproval, rollout.PhaseObserve, rollout.PhaseApply, rollout.PhaseBake,
		rollout.PhaseGate, rollout.PhaseHold, rollout.PhaseRollback, rollout.PhaseVerify, rollout.PhaseLocked,
	} {
		words = append(words, string(p))
	}
	return append(append(words, phasePaused, phaseIndexed), results()...)
}

// results are the words that --outcome knows.
func results() []string {
	var words []string
	for _, p := range []rollout.Phase{
		rollout.PhasePromoted, rollout.PhaseRolledBack, rollout.PhaseAborted, rollout.PhaseIncomplete, rollout.PhaseRefused,
	} {
		words = append(words, string(p))
	}
	return words
}

// indexed is the phase under which the index has a rollout in a phase; empty where
// that may be any.
func indexed(phase string) string {
	switch rollout.Phase(phase) {
	case phasePaused:
		return ""
	case rollout.PhasePlanning, rollout.PhasePreflight, rollout.PhaseObserve, rollout.PhaseApply, rollout.PhaseBake, rollout.PhaseGate:
		return phaseIndexed
	case rollout.PhaseVerify:
		return string(rollout.PhaseRollback)
	}
	return phase
}

// needsAnswers says that the index does not know the phase that is asked for, such as
// baking: only the rollouts do.
func (f listFilter) needsAnswers() bool { return f.phase != indexed(f.phase) }

// holds says whether a rollout is in the phase that is asked for.
func (f listFilter) holds(l listed) bool {
	switch f.phase {
	case "", phaseIndexed:
		return true
	case phasePaused:
		return l.Paused
	case string(rollout.PhaseRollback): // looking whether that cured it is a part of it
		return l.Phase == f.phase || l.Phase == string(rollout.PhaseVerify)
	}
	return l.Phase == f.phase
}

// ask puts what rollouts that run say of themselves over what the index says of them,
// in rows.
func (r *remote) ask(ctx context.Context, rows []listed, got *listing) {
	var open []*listed
	for i := range rows {
		if rows[i].Status == statusRunning {
			open = append(open, &rows[i])
		}
	}
	asked := open[:min(len(open), maxAsked-got.asked)]
	got.asked += len(asked)
	got.unasked += len(open) - len(asked)
	next := make(chan *listed, len(asked))
	for _, l := range asked {
		next <- l
	}
	close(next)
	var asking sync.WaitGroup
	for range min(len(asked), askedAtOnce) {
		asking.Go(func() {
			for l := range next {
				r.askOne(ctx, l)
			}
		})
	}
	asking.Wait()
	for _, l := range asked {
		if !l.Heard {
			got.silent++
		}
	}
}

func (r *remote) askOne(ctx context.Context, l *listed) {
	v := view{
		Unit: l.Unit, Release: l.Release, Phase: l.Phase, Stage: l.Stage, Status: l.Status, By: l.By,
		StartedAt: l.StartedAt, ClosedAt: l.ClosedAt, WorkflowID: l.WorkflowID, RunID: l.RunID, URL: l.URL,
	}
	var err error
	if v.State, err = r.query(ctx, v); err != nil {
		return // the index is all that is known
	}
	*l = l.with(v.inside())
	l.Heard, l.Paused = true, v.State.Paused != nil && v.State.Outcome == nil
}

// none says why a list is empty, and what to do.
func (g listing) none(f listFilter) string {
	switch {
	case g.silent+g.unasked > 0:
		return "no rollout that answered matches; the others did not answer"
	case f.open || f.unit != "" || f.phase != "" || f.outcome != "":
		return "no rollouts match; without filters, sluice list shows the newest"
	}
	return "no rollouts yet: sluice start rollout.yaml starts one"
}

// notes says what the list does not show.
func (g listing) notes(con *console) {
	if g.silent > 0 {
		con.say("%s did not answer, so the phase shown is that of Temporal's index. Is a worker up?\n"+
			"sluice-worker starts one; sluice status UNIT says more", plural(g.silent, "rollout"))
	}
	if g.more {
		con.say("more rollouts match: --limit N shows up to N of them")
	}
	if g.unasked > 0 {
		con.say("only the newest %d rollouts that run were asked for their phase: --unit narrows the list", maxAsked)
	}
}
