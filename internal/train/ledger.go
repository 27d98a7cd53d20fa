// Package train orders the releases of one unit that are under way at once: who may enter which
// stage, who goes back with whom, and by which fences. It is pure: a Ledger takes what happened and
// answers what to tell whom. It knows neither Temporal nor the time, and package workflows/train
// carries its messages.
//
// A rollout never asks before it goes back. What keeps that safe are the fences (see Term) and one
// order of things: before a younger rollout may touch a target, every older one that could be on it
// has acknowledged that it may.
package train

import (
	"slices"
)

// Number counts the rollouts of a unit, from 1. A greater number is a younger rollout.
type Number int64

// Ledger is all that a unit's train knows. The zero value is a train that has had no release. It is
// a value: methods that change it answer a new one, and share nothing with the old.
type Ledger struct {
	// Last is the newest number that was given.
	Last Number `json:"last"`
	// Term dates fences.
	Term Term `json:"term"`
	// Open are the rollouts that go on, the oldest first.
	Open []Rollout `json:"open,omitempty"`
	// Hold keeps every rollout from entering a stage; nil if nothing does.
	Hold *Hold `json:"hold,omitempty"`
	// Closed are the newest that have ended, the newest last.
	Closed []Closed `json:"closed,omitempty"`
	// Barred are releases that were condemned, or withdrawn with one that was.
	Barred []Barred `json:"barred,omitempty"`
	// Stale says that something went back since the term began: the next apply needs a new term.
	Stale bool `json:"stale,omitempty"`
}

// State is where a rollout stands in its train.
type State string

const (
	// Queued waits to be started: another one goes back.
	Queued State = "queued"
	// Going plans, waits, or is in a stage.
	Going State = "going"
	// Guarding has passed every stage and watches on.
	Guarding State = "guarding"
	// Superseded is overtaken by a younger one, and changes nothing more. It stays as long as an
	// older one goes on: if that is condemned, this one puts back what only it has touched.
	Superseded State = "superseded"
	// Back takes back what it has touched.
	Back State = "back"
	// Lost was ended by hand, and nobody takes back what it has touched.
	Lost State = "lost"
)

// Rollout is one release under way.
type Rollout struct {
	Number  Number `json:"number"`
	Release string `json:"release"`
	By      string `json:"by,omitempty"`
	// Every says that no younger release spares this one a stage.
	Every bool  `json:"every,omitempty"`
	State State `json:"state"`
	// Began is the term under which it was started.
	Began Term `json:"began"`
	// Term is that of its way back, and Dated the one that it has acknowledged.
	Term  Term `json:"term"`
	Dated Term `json:"dated"`
	// Plan is the digest of its plan, and Stages are how many it has; 0 before it is known.
	Plan   string `json:"plan,omitempty"`
	Stages int    `json:"stages,omitempty"`
	// Needs says for each older rollout how many of that one's stages must have passed before each
	// stage of this one.
	Needs map[Number][]int `json:"needs,omitempty"`
	// Covers says of which older rollouts it has every target.
	Covers map[Number]bool `json:"covers,omitempty"`
	// Wants says that it asks for its next stage.
	Wants bool `json:"wants,omitempty"`
	// Reserved are how many stages it is to have, Granted how many it was given, and Passed how
	// many have passed.
	Reserved int `json:"reserved,omitempty"`
	Granted  int `json:"granted,omitempty"`
	Passed   int `json:"passed,omitempty"`
	// Ahead is how far the next older one had come when this one was given its newest stage.
	Ahead *Progress `json:"ahead,omitempty"`
	// Younger are the releases that younger ones have put on its targets, or may have: they stay
	// there until this one has gone back, also when the younger ones have ended.
	Younger []string `json:"younger,omitempty"`
	// SupersededBy and WithdrawnBy are numbers of others; 0 is nobody.
	SupersededBy Number `json:"supersededBy,omitempty"`
	WithdrawnBy  Number `json:"withdrawnBy,omitempty"`
	// Condemned are the releases that it must put back nowhere, once it is withdrawn, where an
	// order with the fence Since or a later one has put them.
	Condemned []string `json:"condemned,omitempty"`
	Since     int64    `json:"since,omitempty"`
	// Told is what it was told last, Heard the version that it has acknowledged, and Seq its newest
	// report.
	Told  Standing `json:"told"`
	Heard int64    `json:"heard,omitempty"`
	Seq   int64    `json:"seq,omitempty"`
}

// Progress is how far a rollout has come: the first so many stages of a plan.
type Progress struct {
	Number Number `json:"number"`
	Plan   string `json:"plan"`
	Stages int    `json:"stages"`
	// All says that these are all of its stages, and that they have every target of the rollout
	// that is told so.
	All bool `json:"all,omitempty"`
}

// Hold says why no rollout of the unit enters a stage.
type Hold struct {
	Why string `json:"why"`
	// After is the rollout whose way back it follows: a newer release ends the hold. 0 is a
	// person's hold, which only a person ends.
	After Number `json:"after,omitempty"`
}

// Closed is a rollout that has ended.
type Closed struct {
	Number  Number `json:"number"`
	Release string `json:"release"`
	Result  string `json:"result"`
	Why     string `json:"why,omitempty"`
}

// Barred is a release that is not accepted again.
type Barred struct {
	Release string `json:"release"`
	Number  Number `json:"number"`
	// By is the rollout that was condemned.
	By Number `json:"by"`
}

// How many rollouts that have ended, and barred releases, are remembered.
const (
	maxClosed = 100
	maxBarred = 100
)

// clone is a copy that shares nothing that changes.
func (l Ledger) clone() Ledger {
	l.Open = slices.Clone(l.Open)
	l.Closed = slices.Clone(l.Closed)
	l.Barred = slices.Clone(l.Barred)
	return l
}

// Find is a copy of the rollout under way with a number; nil if there is none.
func (l Ledger) Find(n Number) *Rollout {
	l = l.clone()
	return l.find(n)
}

// find is the open rollout with a number; nil if there is none.
func (l *Ledger) find(n Number) *Rollout {
	for i := range l.Open {
		if l.Open[i].Number == n {
			return &l.Open[i]
		}
	}
	return nil
}

// older are the open rollouts before the one at a place, the nearest first.
func (l *Ledger) older(at int) []*Rollout {
	out := make([]*Rollout, 0, at)
	for i := at - 1; i >= 0; i-- {
		out = append(out, &l.Open[i])
	}
	return out
}

// goesBack is the oldest rollout that goes back, also with an older one, or is lost; nil if none
// does. What a withdrawn one has not put back yet is nothing for a new one to find, and to go back
// to.
func (l *Ledger) goesBack() *Rollout {
	for i := range l.Open {
		if r := &l.Open[i]; r.State == Back || r.State == Lost || r.WithdrawnBy != 0 {
			return r
		}
	}
	return nil
}

// idle says that a rollout is in no stage: it has begun none, or has passed all that it has begun.
func (r *Rollout) idle() bool { return r.Reserved == r.Passed }
