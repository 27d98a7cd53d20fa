package train

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Small cases are explored whole: every order in which anything can happen, breadth first. States
// that were seen before are known by a digest of all that is in them.

// script makes the choices of one step, each in both ways.
type script struct {
	given []bool
	asked int
}

func (s *script) next() bool {
	s.asked++
	return s.asked <= len(s.given) && s.given[s.asked-1]
}

// more are the scripts that differ from one that was played in a choice beyond those that it was
// given.
func (s *script) more() (out [][]bool) {
	for n := len(s.given); n < s.asked; n++ {
		out = append(out, append(append(slices.Clone(s.given), make([]bool, n-len(s.given))...), true))
	}
	return out
}

// clone shares with a model what neither changes in place.
func (m *model) clone() *model {
	c := *m
	c.actors = make([]*actor, len(m.actors))
	for i, a := range m.actors {
		b := *a
		b.touched, b.order = maps.Clone(a.touched), slices.Clip(a.order)
		c.actors[i] = &b
	}
	c.targets = slices.Clone(m.targets)
	for i := range c.targets {
		c.targets[i].writers = slices.Clip(c.targets[i].writers)
	}
	c.toTrain, c.toRollout, c.late = slices.Clip(m.toTrain), slices.Clip(m.toRollout), slices.Clip(m.late)
	c.budget, c.condemned = maps.Clone(m.budget), maps.Clone(m.condemned)
	return &c
}

// forget drops messages and orders that change nothing any more, whenever they arrive.
func (m *model) forget() {
	m.toTrain = slices.DeleteFunc(slices.Clone(m.toTrain), func(e message) bool {
		r := m.ledger.find(e.about)
		return e.report != nil && (r == nil || e.report.Seq <= r.Seq)
	})
	m.toRollout = slices.DeleteFunc(slices.Clone(m.toRollout), func(c Command) bool {
		a := m.actor(c.Tell)
		return a.phase == "ended" || a.phase == "terminated" || c.Standing.Version <= a.standing.Version
	})
	if m.flaw != noFences {
		m.late = slices.DeleteFunc(slices.Clone(m.late), func(o order) bool { return o.fence < m.targets[o.target].fence })
	}
}

// encoding is a state in bytes.
type encoding []byte

func (e *encoding) n(ns ...int64) {
	for _, n := range ns {
		*e = binary.AppendVarint(*e, n)
	}
}

func (e *encoding) is(b bool) {
	if b {
		e.n(1)
	} else {
		e.n(0)
	}
}

func (e *encoding) text(s string) {
	e.n(int64(len(s)))
	*e = append(*e, s...)
}

// bag adds parts in whatever order.
func (e *encoding) bag(parts []encoding) {
	slices.SortFunc(parts, func(a, b encoding) int { return slices.Compare(a, b) })
	e.n(int64(len(parts)))
	for _, p := range parts {
		e.text(string(p))
	}
}

func (e *encoding) reach(r *Progress) {
	if e.is(r != nil); r != nil {
		e.n(int64(r.Number), int64(r.Stages))
		e.is(r.All)
	}
}

func (e *encoding) standing(s Standing, v ranks) {
	e.n(v.of(s.Version), s.Fence, s.Back, int64(s.Enter), int64(s.SupersededBy), int64(s.WithdrawnBy), s.Since, int64(len(s.Taken)))
	for i := range s.Taken {
		e.reach(&s.Taken[i])
	}
	e.reach(s.Ahead)
	e.n(int64(len(s.Younger)), int64(len(s.Condemned)))
	for _, r := range slices.Concat(s.Younger, s.Condemned) {
		e.text(r)
	}
	e.is(s.Behind)
	e.is(s.Leave)
	e.text(s.Waits)
}

func (e *encoding) report(p RolloutReport, seqs, versions ranks) {
	e.n(seqs.of(p.Seq), versions.of(p.Heard), int64(p.Stages), int64(p.Passed))
	e.is(p.Wants)
	e.is(p.Guards)
	e.is(p.GoesBack)
	e.text(p.Result)
}

// ranks are numbers of which only the order counts.
type ranks []int64

func (r ranks) of(n int64) int64 {
	i, _ := slices.BinarySearch(r, n)
	return int64(i)
}

// counts are those of a rollout: the numbers of its reports, and the versions of its standings.
func (m *model) counts(n Number) (seqs, versions ranks) {
	if r := m.ledger.find(n); r != nil {
		seqs, versions = append(seqs, r.Seq), append(versions, r.Told.Version, r.Heard)
	}
	if a := m.actor(n); a != nil {
		versions = append(versions, a.standing.Version)
	}
	for _, e := range m.toTrain {
		if e.about == n && e.report != nil {
			seqs, versions = append(seqs, e.report.Seq), append(versions, e.report.Heard)
		}
	}
	for _, c := range m.toRollout {
		if c.Tell == n {
			versions = append(versions, c.Standing.Version)
		}
	}
	slices.Sort(seqs)
	slices.Sort(versions)
	return slices.Compact(seqs), slices.Compact(versions)
}

func (e *encoding) rollout(r Rollout, seqs, versions ranks) {
	e.n(int64(r.Number), r.Began.Number, int64(r.Began.First), r.Term.Number, int64(r.Term.First), r.Dated.Number, int64(r.Dated.First),
		int64(r.Stages), int64(r.Reserved), int64(r.Granted), int64(r.Passed),
		int64(r.SupersededBy), int64(r.WithdrawnBy), r.Since, versions.of(r.Heard), seqs.of(r.Seq))
	e.text(string(r.State))
	e.is(r.Every)
	e.is(r.Wants)
	e.reach(r.Ahead)
	e.n(int64(len(r.Needs)), int64(len(r.Condemned)), int64(len(r.Younger))) // what they are follows from the plans
	for n := range r.Number {
		if r.Needs[n] != nil {
			e.n(int64(n))
		}
	}
	for _, c := range slices.Concat(r.Condemned, r.Younger) {
		e.text(c)
	}
	e.standing(r.Told, versions)
}

func (e *encoding) ledger(m *model) {
	l := m.ledger
	e.n(int64(l.Last), l.Term.Number, int64(l.Term.First), int64(len(l.Open)), int64(len(l.Closed)))
	e.is(l.Stale)
	if e.is(l.Hold != nil); l.Hold != nil {
		e.text(l.Hold.Why)
		e.n(int64(l.Hold.After))
	}
	for _, r := range l.Open {
		seqs, versions := m.counts(r.Number)
		e.rollout(r, seqs, versions)
	}
	for _, b := range l.Barred {
		e.n(int64(b.Number), int64(b.By))
	}
}

func (e *encoding) actor(a *actor, versions ranks) {
	e.n(int64(a.n), int64(a.passed), int64(len(a.left)))
	e.text(a.phase)
	e.text(a.result)
	e.is(a.condemns)
	e.is(a.planned)
	if a.phase == "ended" {
		e.n(int64(a.standing.WithdrawnBy))
		return
	}
	for _, t := range a.left {
		e.n(int64(t))
	}
	e.n(int64(len(a.order)))
	for _, t := range a.order {
		e.n(int64(t), int64(a.touched[t]))
	}
	e.standing(a.standing, versions)
}

// digest is that of all that decides what can happen next, and what is checked.
func (m *model) digest() [16]byte {
	e := make(encoding, 0, 1024)
	e.ledger(m)
	for _, a := range m.actors {
		_, versions := m.counts(a.n)
		e.actor(a, versions)
		e.is(m.condemned[a.n])
	}
	for _, t := range m.targets {
		e.n(int64(t.release), t.fence, int64(t.forward), int64(len(t.writers)))
		for _, w := range t.writers {
			e.n(int64(w))
		}
		e.is(t.silent)
		e.is(t.back)
	}
	var parts []encoding
	for _, t := range m.toTrain {
		var p encoding
		p.n(int64(t.about), int64(t.with))
		if t.report != nil {
			seqs, versions := m.counts(t.about)
			p.report(*t.report, seqs, versions)
		}
		parts = append(parts, p)
	}
	e.bag(parts)
	parts = nil
	for _, c := range m.toRollout {
		var p encoding
		p.n(int64(c.Tell))
		_, versions := m.counts(c.Tell)
		p.standing(c.Standing, versions)
		parts = append(parts, p)
	}
	e.bag(parts)
	parts = nil
	for _, o := range m.late {
		var p encoding
		p.n(int64(o.from), int64(o.target), int64(o.release), o.fence)
		p.is(o.back)
		parts = append(parts, p)
	}
	e.bag(parts)
	for _, kind := range slices.Sorted(maps.Keys(m.budget)) {
		e.n(int64(m.budget[kind]))
	}
	sum := sha256.Sum256(e)
	return [16]byte(sum[:16])
}

// explored is what was seen of a case.
type explored struct {
	states, transitions, ends int
	broken                    string
}

// node is a state on its way, and how it came about.
type node struct {
	*model
	before *node
	by     step
}

func (n *node) words() string {
	out := ""
	for at := n; at.before != nil; at = at.before {
		out = "\n\t" + at.by.String() + out
	}
	return n.broken + out
}

// explore sees every state of a case, unless one breaks a rule.
func explore(c smallCase, f flaw) (out explored) {
	was := rules
	defer func() { rules = was }()
	rules = nil
	for _, r := range was { // what a rollout is told that it waits for changes nothing but how often it is told
		rules = append(rules, rule{r.name, func(l *Ledger, at int) string {
			if r.blocks(l, at) != "" {
				return "another one"
			}
			return ""
		}})
	}
	cut, budget := Cut{}, map[string]int{"submit": c.releases}
	for i := range c.targets {
		cut.Order = append(cut.Order, name(i))
	}
	for s := range c.stages {
		cut.To = append(cut.To, c.targets*(s+1)/c.stages)
	}
	for _, kind := range c.troubles {
		budget[kind] = 1
	}
	first := newModel(nil, f, c.targets, func(Number) Cut { return cut }, budget)
	first.script = &script{}
	seen := map[[16]byte]bool{first.digest(): true}
	for level := []*node{{model: first}}; len(level) > 0; {
		var next []*node
		for _, n := range level {
			out.states++
			for _, after := range n.next(&out) {
				out.transitions++
				if after.broken != "" {
					out.broken = after.words()
					return out
				}
				if d := after.digest(); !seen[d] {
					seen[d] = true
					next = append(next, after)
				}
			}
		}
		level = next
	}
	return out
}

// next are the states that can follow one. Where nothing happens by itself any more, a person acts
// or this is the end.
func (n *node) next(seen *explored) (out []*node) {
	now, steps := n.clone(), n.steps(true)
	if !slices.ContainsFunc(steps, func(s step) bool { return !s.trouble }) {
		end := step{format: "nothing more happens", do: func() { n.checkEnd(); seen.ends++ }}
		if s := n.person(); s != nil {
			end = *s
		}
		steps = append(steps, end)
	}
	for _, s := range steps {
		for scripts := [][]bool{nil}; len(scripts) > 0; scripts = scripts[1:] {
			n.script = &script{given: scripts[0]}
			s.do()
			scripts = append(scripts, n.script.more()...)
			n.forget()
			out = append(out, &node{model: n.clone(), before: n, by: s})
			n.restore(now)
		}
	}
	n.model = &model{broken: n.broken} // only its place is needed any more
	return out
}

// restore undoes a step in place: the other steps are of this model.
func (m *model) restore(was *model) {
	was = was.clone()
	actors, targets := m.actors[:len(was.actors)], m.targets
	for i, a := range was.actors {
		*actors[i] = *a
	}
	copy(targets, was.targets)
	*m = *was
	m.actors, m.targets = actors, targets
}

// A digest knows every field: whoever adds one adds it there, or sees that it follows from others.
func TestDigestKnowsEveryField(t *testing.T) {
	t.Parallel()
	for of, n := range map[reflect.Type]int{
		reflect.TypeFor[Ledger](): 7, reflect.TypeFor[Rollout](): 25, reflect.TypeFor[Standing](): 14, reflect.TypeFor[Progress](): 4,
		reflect.TypeFor[actor](): 13, reflect.TypeFor[target](): 6, reflect.TypeFor[order](): 5,
	} {
		require.Equal(t, n, of.NumField(), of.String())
	}
}

// smallCase is a small case: so many releases, stages and targets, and troubles that may happen
// once each, in any order.
type smallCase struct {
	releases, stages, targets int
	troubles                  []string
}

func (c smallCase) String() string {
	return fmt.Sprintf("%d releases, %d stages, %d targets, %v", c.releases, c.stages, c.targets, c.troubles)
}

// smallest are explored with every test, larger by make model.
var (
	smallest = []smallCase{
		{2, 2, 2, []string{"every"}},
		{2, 2, 2, []string{"fail"}},
		{2, 2, 2, []string{"terminate"}},
		{2, 2, 2, []string{"late"}},
		{2, 2, 2, []string{"silent"}},
		{2, 2, 2, []string{"hold"}},
	}
	larger = []smallCase{
		{2, 2, 2, []string{"fail", "repeat"}},
		{2, 2, 2, []string{"fail", "hold"}},
		{2, 2, 2, []string{"fail", "overtake"}},
		{2, 2, 2, []string{"fail", "silent"}},
		{2, 2, 2, []string{"fail", "late"}},
		{2, 2, 2, []string{"terminate", "late"}},
		{2, 2, 2, []string{"fail", "terminate"}},
		{3, 2, 2, nil},
	}
)

func TestExplore(t *testing.T) {
	cases := smallest
	if runs(t, 0) > 0 {
		cases = slices.Concat(smallest, larger)
	}
	states, transitions := 0, 0
	for _, c := range cases {
		got := explore(c, noFlaw)
		require.Empty(t, got.broken, c)
		require.NotZero(t, got.ends)
		states, transitions = states+got.states, transitions+got.transitions
		fmt.Fprintf(t.Output(), "%s: %d states, %d transitions\n", c, got.states, got.transitions)
	}
	fmt.Fprintf(t.Output(), "all states of %d small cases: %d states, %d transitions, 0 broken rules\n", len(cases), states, transitions)
}
