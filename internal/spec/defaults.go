package spec

import (
	"cmp"
	"slices"
	"time"
)

const (
	defaultLabel      = "instance"
	defaultValue      = "{{address}}"
	defaultFleetValue = "{{label.instance}}"
	defaultEvery      = Duration(15 * time.Second)
	defaultWindow     = Duration(5 * time.Minute)

	// defaultFalseRollbackRate is one good rollout in a thousand.
	defaultFalseRollbackRate = Number(0.001)

	// recoverLooks leave a check time to pass again, within bounds: no look counts in the warm-up,
	// and the unit takes no other rollout meanwhile.
	leastRecover = Duration(time.Minute)
	mostRecover  = Duration(10 * time.Minute)
	recoverLooks = 4

	// minStaleAfter leaves room for a source that scrapes twice a minute.
	minStaleAfter = Duration(30 * time.Second)
	// minDecideWithin leaves a source time to come back after a short bake.
	minDecideWithin = Duration(time.Minute)
)

// fillDefaults sets what a valid spec leaves out.
func fillDefaults(s *Spec, kinds Kinds) {
	fillFleet(&s.Fleet)
	s.Drill.setDefaults()
	s.Apply.Batch = cmp.Or(s.Apply.Batch, 1000)
	s.Apply.Parallel = cmp.Or(s.Apply.Parallel, 50)
	s.Apply.Attempts = cmp.Or(s.Apply.Attempts, 3)
	s.Rollback.Deadline = cmp.Or(s.Rollback.Deadline, Duration(10*time.Minute))
	s.Rollback.Parallel = cmp.Or(s.Rollback.Parallel, 200)
	s.Rollback.Recover = cmp.Or(s.Rollback.Recover, max(leastRecover, min(mostRecover, s.Health.Warmup+recoverLooks*every(s.Health))))
	for i := range s.Stages {
		st := &s.Stages[i]
		fillBake(st, s.Health)
		st.DecideWithin = cmp.Or(st.DecideWithin, max(st.Bake, minDecideWithin))
		st.Undecided = cmp.Or(st.Undecided, UndecidedRollback)
	}
	if n := s.Notify; n != nil && len(n.On) == 0 {
		n.On = NotifyEvents()
	}
	fillHealth(&s.Health, kinds)
	if source := kinds.Source(s.Health); source != nil {
		source.SetDefaults(*s)
		s.Health.Source = Choose(s.Health.Source.Name, source)
	}
}

func fillFleet(f *FleetSource) {
	if f.Listed() {
		f.Timeout = cmp.Or(f.Timeout, Duration(30*time.Second))
	}
	if f.Prometheus != "" {
		f.ID = cmp.Or(f.ID, defaultFleetValue)
		f.Address = cmp.Or(f.Address, defaultFleetValue)
	}
}

func fillHealth(h *Health, kinds Kinds) {
	h.Every = every(*h)
	h.Window = cmp.Or(h.Window, defaultWindow)
	h.StaleAfter = staleAfter(*h)
	h.FalseRollbackRate = cmp.Or(h.FalseRollbackRate, defaultFalseRollbackRate)
	h.Identify.Label = cmp.Or(h.Identify.Label, defaultLabel)
	h.Identify.Value = cmp.Or(h.Identify.Value, defaultValue)
	var language Language = Selectors{}
	if source := kinds.Source(*h); source != nil {
		language = source.Traits().Language
	}
	for i := range h.Checks {
		fillCheck(&h.Checks[i], language)
	}
	if !slices.Contains(h.Without, CheckTraffic) {
		h.Traffic = cmp.Or(h.Traffic, traffic(*h, language))
	}
}

func fillCheck(c *Check, language Language) {
	switch {
	case c.Counts():
		c.MinSamples = cmp.Or(c.MinSamples, 100)
	case c.Against != "":
		c.MinSamples = cmp.Or(c.MinSamples, 30)
	}
	if c.Objective != nil {
		c.Burn = cmp.Or(c.Burn, 1)
	}
	if c.Budgeted() {
		c.Weight = cmp.Or(c.Weight, 1)
	}
	if c.Slow != nil {
		c.Slow.Histogram = language.CompleteHistogram(c.Slow.Histogram)
	}
}

// traffic is the total of the first check that has one, rather of one that counts all targets
// together.
func traffic(h Health, language Language) string {
	first := ""
	for _, c := range h.Checks {
		switch {
		case c.Total != "" && c.Each == "":
			return c.Total
		case c.Total != "" && first == "":
			first = language.Whole(c.Total)
		}
	}
	return first
}

// every is the time between two looks, also before the defaults are filled in.
func every(h Health) Duration { return cmp.Or(h.Every, defaultEvery) }

// staleAfter is the age at which a sample is too old, also before the defaults are filled in.
func staleAfter(h Health) Duration { return cmp.Or(h.StaleAfter, max(2*every(h), minStaleAfter)) }
