package train

import "slices"

// Standing is what a train tells a rollout: all of it, each time, so that one message that arrives
// late, twice or never does no harm. A rollout takes the one with the highest version, and
// acknowledges it once it acts by it.
type Standing struct {
	Version int64 `json:"version"`
	// Fence is that of its applies, and Back that of its way back.
	Fence int64 `json:"fence"`
	Back  int64 `json:"back"`
	// Enter is how many stages it may have begun.
	Enter int `json:"enter"`
	// Taken is what younger rollouts may have taken of its targets: they show nothing about this
	// release any more.
	Taken []Progress `json:"taken,omitempty"`
	// Ahead is how far the next older rollout had come when this one was given its newest stage:
	// beyond it, no target runs the release that this one replaces. nil if there is none: then all
	// others do.
	Ahead *Progress `json:"ahead,omitempty"`
	// Younger are releases that may run on its targets in place of its own: its way back replaces
	// them, too.
	Younger []string `json:"younger,omitempty"`
	// SupersededBy is the younger rollout that goes on in its place; it changes nothing more.
	SupersededBy Number `json:"supersededBy,omitempty"`
	// WithdrawnBy is the older rollout that was condemned: this one contains it. It changes nothing
	// more, but for its way back. Condemned are the releases that it puts back nowhere where they
	// were put by an order with the fence Since or a later one: whoever did so takes it back.
	WithdrawnBy Number   `json:"withdrawnBy,omitempty"`
	Condemned   []string `json:"condemned,omitempty"`
	Since       int64    `json:"since,omitempty"`
	// Behind says that older rollouts are under way: one of them could still be condemned, and so
	// this one does not end as promoted yet.
	Behind bool `json:"behind,omitempty"`
	// Leave says that nothing keeps it any more: a younger rollout has passed everywhere and
	// inherits its guard, or it is superseded, and no older one could be condemned.
	Leave bool `json:"leave,omitempty"`
	// Waits says what the next stage waits for.
	Waits string `json:"waits,omitempty"`
}

// same says that two standings say the same.
func (s Standing) same(o Standing) bool {
	ahead := s.Ahead == o.Ahead || s.Ahead != nil && o.Ahead != nil && *s.Ahead == *o.Ahead
	return ahead && slices.Equal(s.Taken, o.Taken) && slices.Equal(s.Younger, o.Younger) && slices.Equal(s.Condemned, o.Condemned) &&
		s.Version == o.Version && s.Fence == o.Fence && s.Back == o.Back && s.Enter == o.Enter && s.SupersededBy == o.SupersededBy &&
		s.WithdrawnBy == o.WithdrawnBy && s.Since == o.Since && s.Behind == o.Behind && s.Leave == o.Leave && s.Waits == o.Waits
}

// standing is what the rollout at a place is to know.
func (l *Ledger) standing(at int) Standing {
	r := &l.Open[at]
	s := Standing{
		Fence: r.Began.Apply(r.Number), Back: r.Term.Back(r.Number), Enter: r.Granted, Ahead: r.Ahead,
		Younger: r.Younger, SupersededBy: r.SupersededBy, WithdrawnBy: r.WithdrawnBy, Condemned: r.Condemned, Since: r.Since,
	}
	for i := at + 1; i < len(l.Open); i++ {
		y := &l.Open[i]
		if needs, known := y.Needs[r.Number]; y.Reserved == 0 || known && needs[y.Reserved-1] == 0 { // nor a target of this one
			continue
		}
		taken := y.progress(y.Reserved)
		taken.All = y.Reserved == y.Stages && y.Covers[r.Number]
		s.Taken = append(s.Taken, *taken)
	}
	s.Behind = at > 0
	s.Leave = r.State == Guarding && at == 0 && l.passedBy(r.Number) || r.State == Superseded && (at == 0 || r.Granted == 0)
	if r.Wants && r.State == Going {
		s.Waits = l.Waits(r.Number)
	}
	return s
}

// passedBy says that a younger rollout than n has passed everywhere, and is not to go back.
func (l *Ledger) passedBy(n Number) bool {
	return slices.ContainsFunc(l.Open, func(r Rollout) bool { return r.Number > n && r.State == Guarding && r.WithdrawnBy == 0 })
}

// progress is the first so many of its stages.
func (r *Rollout) progress(stages int) *Progress {
	return &Progress{Number: r.Number, Plan: r.Plan, Stages: stages}
}
