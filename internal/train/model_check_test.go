package train

import "slices"

// checkLedger says that no stage is granted while the unit is held, or while one goes back.
func (m *model) checkLedger(before, now Ledger) {
	for _, r := range now.Open {
		was := before.find(r.Number)
		if was == nil || r.Reserved <= was.Reserved {
			continue
		}
		if now.Hold != nil {
			m.violated("rollout %d is to enter a stage although the unit is held", r.Number)
		}
		if back := now.goesBack(); back != nil {
			m.violated("rollout %d is to enter a stage while %d goes back", r.Number, back.Number)
		}
	}
}

// tainted says that a rollout was condemned, or was withdrawn with one that was.
func (m *model) tainted(n Number) bool {
	a := m.actor(n)
	return m.condemned[n] || a != nil && a.standing.WithdrawnBy != 0
}

// checkWrite says that a write that a target takes is one that it may take.
func (m *model) checkWrite(o order) {
	t := m.targets[o.target]
	if o.back {
		return // checked when it was sent: one that arrives late is refused, or replaced
	}
	id := name(o.target)
	for _, older := range m.actors {
		stage, has := older.at[id]
		if older.n >= o.from || !has {
			continue
		}
		switch older.phase {
		case "ended", "terminated":
		case "back":
			if _, touched := older.touched[o.target]; touched && !slices.Contains(older.left, o.target) && t.back {
				m.violated("rollout %d writes to %s, which rollout %d has put back", o.from, id, older.n)
			}
		default:
			if older.passed <= stage && older.standing.SupersededBy == 0 && !m.superseding(older.n) {
				m.violated("rollout %d overtakes rollout %d on %s", o.from, older.n, id)
			}
		}
	}
	if t.forward > o.from && !t.back && t.release != o.from {
		m.violated("a stale order of rollout %d overwrites rollout %d on %s", o.from, t.forward, id)
	}
}

// superseding says that the ledger has given up a rollout for a younger one.
func (m *model) superseding(n Number) bool {
	r := m.ledger.find(n)
	return r == nil || r.SupersededBy != 0
}

// checkArms says that what a rollout takes for exposed runs its release, or that of one that goes
// back.
func (m *model) checkArms() {
	for _, a := range m.actors {
		if a.phase != "bake" && a.phase != "apply" && a.phase != "wait" && a.phase != "guard" || a.standing.SupersededBy != 0 || a.standing.WithdrawnBy != 0 {
			continue
		}
		taken := map[string]bool{}
		for _, r := range a.standing.Taken {
			c := m.actor(r.Number).cut
			for _, id := range c.Order[:c.To[r.Stages-1]] {
				taken[id] = true
			}
		}
		for t := range a.touched {
			x := m.targets[t]
			if !taken[name(t)] && !x.back && x.release > a.n {
				m.violated("rollout %d judges %s by release %d", a.n, name(t), x.release)
			}
		}
	}
}

// checkEnd says that, once nothing more can happen, everything has ended, and every target runs the
// youngest release that it has ever taken and that nobody has condemned.
func (m *model) checkEnd() {
	for _, r := range m.ledger.Open {
		m.violated("rollout %d is still under way (%s): %s", r.Number, r.State, m.ledger.Waits(r.Number))
	}
	for _, a := range m.actors {
		inherited := slices.ContainsFunc(m.actors, func(y *actor) bool { return y.n > a.n && y.passed == len(y.cut.To) })
		if a.phase == "terminated" && len(a.order) > 0 && !inherited {
			m.violated("nobody takes back what rollout %d has touched", a.n)
		}
	}
	for i, t := range m.targets {
		want := Number(0)
		for _, n := range t.writers {
			if !m.tainted(n) {
				want = max(want, n)
			}
		}
		if m.tainted(t.release) {
			m.violated("target %d runs release %d, which is condemned", i, t.release)
		}
		if t.release != want {
			m.violated("target %d runs release %d, expected %d", i, t.release, want)
		}
	}
}
