package sequential

// TwoArmsState is what a TwoArms has seen, small enough for a heartbeat. Its zero value has seen
// nothing.
type TwoArmsState struct {
	Looks int  `json:"looks,omitempty"`
	Whole Pair `json:"whole"`
	// Fair is how many bad events would be the exposed arm's if both were alike.
	Fair   float64 `json:"fair,omitempty"`
	Jitter Jitter  `json:"jitter"`
	// Tests are the logarithms of all that the tests have accumulated, in order.
	Tests Packed `json:"tests,omitempty"`
}

// State is what was seen so far.
func (t *TwoArms) State() TwoArmsState {
	s := TwoArmsState{Looks: t.looks, Whole: t.whole, Fair: t.fair, Jitter: t.jitter}
	for _, n := range t.nodes {
		s.Tests = append(s.Tests, n.null, n.enough, n.unchanged, n.bets.exposed, n.bets.expected)
		s.Tests = append(s.Tests, n.grid.pack()...)
		s.Tests = append(s.Tests, n.bets.pack()...)
		s.Tests = append(s.Tests, n.thinned.pack()...)
	}
	return s
}

// Restore goes on from a state of a test of the same question, with the same looks before the
// change. It answers whether it was one; if not, nothing changes.
func (t *TwoArms) Restore(s TwoArmsState) bool {
	if s.Looks == 0 {
		return true
	}
	const own = 5 // numbers of a node beside its tests
	each := own + 2*len(Ratios()) + len(stakes())
	if len(s.Tests) != each*len(t.nodes) {
		return false
	}
	t.looks, t.whole, t.fair, t.jitter = s.Looks, s.Whole, s.Fair, s.Jitter
	if z := t.whole.bad(); t.fair == 0 && z > 0 { // as v0.1.0 has kept it
		t.fair = z * t.whole.share(1)
	}
	for i := range t.nodes {
		n, from := &t.nodes[i], s.Tests[i*each:]
		n.null, n.enough, n.unchanged = from[0], from[1], from[2]
		n.bets.exposed, n.bets.expected = from[3], from[4]
		n.grid.unpack(from[own:])
		n.bets.unpack(from[own+len(n.grid.acc):])
		n.thinned.unpack(from[own+len(n.grid.acc)+len(n.bets.acc):])
		n.grid.looks, n.bets.looks, n.thinned.looks = s.Looks, s.Looks, s.Looks
	}
	return true
}
