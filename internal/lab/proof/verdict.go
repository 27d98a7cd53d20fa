package main

import (
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

// verdict is what a rollout of Sluice is worth, by what the model knows and Sluice does not.
type verdict string

const (
	caught     verdict = "caught"             // harm, and taken back
	missed     verdict = "missed"             // harm that showed while it was watched, and not taken back
	unseen     verdict = "no signal"          // harm that began after the rollout was over, or in what no check asks for
	blamed     verdict = "blamed wrongly"     // taken back without harm
	passed     verdict = "passed"             // no harm, and promoted
	unfinished verdict = "waits for a person" // no harm, and neither promoted nor taken back
)

// verdictOf judges a rollout.
func verdictOf(o outages.Outage, p rehearsal.Played) verdict {
	back := p.Back() || p.Result == rollout.PhaseRefused
	switch {
	case back && p.Harmed && !p.Unseen:
		return caught
	case back:
		return blamed
	case o.Harmful() && p.Unseen:
		return unseen
	case o.Harmful():
		return missed
	case p.Result != rollout.PhasePromoted:
		return unfinished
	}
	return passed
}

// counts are verdicts of many rollouts.
type counts map[verdict]int

func countsOf(results ...result) counts {
	out := counts{}
	for _, r := range results {
		for _, p := range r.Gated {
			out[verdictOf(r.Outage, p)]++
		}
	}
	return out
}

// precision are the rollouts that were taken back rightly, of those that were taken back; recall
// are they of those whose harm showed.
func (c counts) precision() (hits, of int) { return c[caught], c[caught] + c[blamed] }
func (c counts) recall() (hits, of int)    { return c[caught], c[caught] + c[missed] }

// signal says that harm showed in most rollouts of an outage.
func (r result) signal() bool {
	return r.Outage.Harmful() && 2*countsOf(r)[unseen] < len(r.Gated)
}

func harmful(results []result) (out []result) {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return !r.Outage.Harmful() })
}

func signalling(results []result) (out []result) {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return !r.signal() })
}

// cost is what an outage costs when it is deployed in a way: the median over seeds. Times without
// end are never.
type cost struct {
	exposed, bad, share float64
	detected, undone    float64 // seconds
	person              bool
}

var never = math.Inf(1)

func (r result) cost(w outages.Way) cost {
	plays := r.Gated
	if i := slices.Index(outages.Ways(), w); w != outages.Gated {
		plays = r.Ways[i : i+1]
	}
	push := r.Ways[0].Bad
	middle := func(of func(rehearsal.Played) float64) float64 {
		var values []float64
		for _, p := range plays {
			values = append(values, of(p))
		}
		return simulate.Quantile(values, 0.5)
	}
	return cost{
		exposed:  middle(func(p rehearsal.Played) float64 { return p.Exposed }),
		bad:      middle(func(p rehearsal.Played) float64 { return p.Bad }),
		share:    middle(func(p rehearsal.Played) float64 { return p.Bad / max(push, math.SmallestNonzeroFloat64) }),
		detected: middle(func(p rehearsal.Played) float64 { return seconds(p.Detected) }),
		undone:   middle(func(p rehearsal.Played) float64 { return seconds(p.Undone) }),
		person:   middle(func(p rehearsal.Played) float64 { return map[bool]float64{true: 1}[p.Person] }) > 0,
	}
}

func seconds(d *time.Duration) float64 {
	if d == nil {
		return never
	}
	return d.Seconds()
}

// median is of one number of all outages.
func median(results []result, of func(result) float64) float64 {
	var values []float64
	for _, r := range results {
		values = append(values, of(r))
	}
	return simulate.Quantile(values, 0.5)
}
