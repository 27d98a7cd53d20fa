package rehearsal

import (
	"time"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

// Played is what deploying a change in one way came to.
type Played struct {
	Way outages.Way `json:"way"`
	simulate.Score
	// Person says that it took one: to notice, to put the change back, or to unlock what could not
	// go back.
	Person bool `json:"person"`
	// Result, Stage and Why are of a rollout of Sluice.
	Result rollout.Phase `json:"result,omitempty"`
	Stage  string        `json:"stage,omitempty"`
	Why    string        `json:"why,omitempty"`
	// Blamed are the checks that failed.
	Blamed []string      `json:"blamed,omitempty"`
	Took   spec.Duration `json:"took,omitempty"`
	// Unseen says that the rollout could not see harm: it began only when the rollout was over, or
	// no check asks for it.
	Unseen bool             `json:"unseen,omitempty"`
	Curve  []simulate.Point `json:"curve,omitempty"`
}

// Back says that a rollout has gone back, or tries to.
func (p Played) Back() bool {
	switch p.Result {
	case rollout.PhaseRolledBack, rollout.PhaseRollback, rollout.PhaseVerify, rollout.PhaseLocked, rollout.PhaseIncomplete:
		return true
	}
	return false
}

// longest is how long a rollout of an outage may take.
const longest = 14 * 24 * time.Hour

// Play deploys an outage's change by a plan, in one way.
func Play(o outages.Outage, w outages.Way, p plan.Plan, c catalog.Catalog, s store.Store, seed uint64) (Played, error) {
	if w != outages.Gated {
		l := o.Play(w, p, c.Kinds(), seed)
		return Played{Way: w, Score: o.Score(w, l), Person: !l.First.IsZero(), Curve: l.Curve}, nil
	}
	mended, back := false, false
	out, err := Run(Rehearsal{
		Spec: p.Spec, Fleet: fleet.Fleet{Targets: p.Order}, Model: o.Model(seed), Before: "before", Limit: longest, Approve: true, Store: s,
		After: func(w *simulate.World, now time.Time) (l simulate.Ledger) {
			back = !w.Ledger().Back.IsZero()
			l, mended = o.Aftermath(w, p, now)
			return l
		},
	}, c)
	if err != nil {
		return Played{}, err
	}
	first, ended := out.Ledger.First, out.Began.Add(out.Took)
	played := Played{
		Way: w, Score: out.Ledger.Score(), Result: out.State.Phase, Why: out.State.Why, Stage: out.State.StageName(), Curve: out.Ledger.Curve,
		Took: spec.Duration(out.Took), Unseen: o.Harmful() && (first.IsZero() || !first.Before(ended) || !o.Shows(p.Spec)),
	}
	switch over := o.Over.Std(); {
	case mended && !back:
		played.Score = o.Score(w, out.Ledger)
	case mended && played.Undone == nil:
		played.Undone = &over
	}
	if oc := out.State.Outcome; oc != nil {
		played.Stage, played.Why, played.Blamed = oc.Stage, oc.Why, oc.Condemned
	}
	played.Person = mended || out.State.Phase == rollout.PhaseLocked || out.State.Phase == rollout.PhaseHold
	return played, nil
}
