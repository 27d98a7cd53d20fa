package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// The model: a ledger, rollouts that keep to what they are told, targets with fences, and a network
// that delays, repeats and reorders whatever goes between them. A step is anything that can happen
// next.

// flaw is one rule that a model breaks on purpose.
type flaw string

const (
	noFlaw        flaw = ""
	noFences      flaw = "targets ignore fences"
	shyWayBack    flaw = "a way back has the fence after its own applies"
	sameTerm      flaw = "no new term after a way back"
	deaf          flaw = "a withdrawn rollout does not stop"
	putsBackAll   flaw = "a withdrawn rollout puts back what it found, condemned or not"
	leavesEarly   flaw = "a superseded rollout ends at once"
	onlyNewest    flaw = "a rollout puts back only what still runs its own release"
	lostForgotten flaw = "a terminated rollout counts as ended"
)

// flaws are all of them.
var flaws = []flaw{noFences, shyWayBack, sameTerm, deaf, putsBackAll, leavesEarly, onlyNewest, lostForgotten}

// target is a host: the release that it runs, by its number, and the newest fence that it has
// taken.
type target struct {
	release Number
	fence   int64
	silent  bool
	// forward is who wrote to it last going forward, and writers all whose forward orders it has
	// taken.
	forward Number
	back    bool
	writers []Number
}

// order is a write that may arrive late, or once more.
type order struct {
	from    Number
	target  int
	release Number
	fence   int64
	back    bool
}

// message is what arrives at the train about a rollout: a report of its own, how its plan compares
// with another one's, or that it is gone.
type message struct {
	about  Number
	report *RolloutReport
	with   Number
	found  Comparison
}

func (e message) String() string {
	switch {
	case e.report != nil:
		return fmt.Sprintf("train hears %+v", *e.report)
	case e.with != 0:
		return fmt.Sprintf("plans of %d and %d are compared", e.with, e.about)
	}
	return fmt.Sprintf("train sees that %d is gone", e.about)
}

// arrives is the ledger once a message has arrived.
func (m *model) arrives(e message) {
	l := m.ledger
	switch {
	case e.report != nil:
		m.take(l.Hear(*e.report))
	case e.with != 0:
		m.take(l.Compared(e.about, e.with, e.found))
	case m.flaw == lostForgotten:
		m.take(l.Hear(RolloutReport{Number: e.about, Seq: m.actor(e.about).seq + 1, Result: "terminated"}))
	default:
		m.take(l.Gone(e.about, m.actor(e.about).condemns))
	}
}

// actor is a rollout's workflow.
type actor struct {
	n        Number
	cut      Cut
	at       map[string]int // stage of each target
	phase    string         // plan, wait, apply, bake, guard, back, ended, terminated
	passed   int
	left     []int // targets of the stage, or of the way back, that are still to do
	touched  map[int]Number
	order    []int // touched, in their order
	standing Standing
	condemns bool // it went back by its own verdict, or a person's
	planned  bool
	seq      int64
	result   string
}

// report tells the train how a rollout stands.
func (m *model) report(a *actor) {
	a.seq++
	p := RolloutReport{
		Number: a.n, Seq: a.seq, Heard: a.standing.Version, Passed: a.passed, Wants: a.phase == "wait",
		Guards: a.passed == len(a.cut.To), GoesBack: a.condemns, Result: a.result,
	}
	if a.planned {
		p.Plan, p.Stages = fmt.Sprint(a.n), len(a.cut.To)
	}
	m.toTrain = append(m.toTrain, message{about: a.n, report: &p})
}

// model is a state of the world.
type model struct {
	rng       *rand.Rand
	script    *script // chooses in the place of rng
	flaw      flaw
	ledger    Ledger
	actors    []*actor
	targets   []target
	toTrain   []message
	toRollout []Command
	late      []order
	budget    map[string]int // how often each kind of trouble may still happen
	cuts      func(n Number) Cut
	trace     []step
	broken    string // the first invariant that did not hold
	condemned map[Number]bool
}

func newModel(rng *rand.Rand, f flaw, targets int, cuts func(Number) Cut, budget map[string]int) *model {
	return &model{rng: rng, flaw: f, targets: make([]target, targets), cuts: cuts, budget: budget, condemned: map[Number]bool{}}
}

// chance is true once in so many times; where a script chooses, it is both.
func (m *model) chance(n int) bool {
	if m.script != nil {
		return m.script.next()
	}
	return m.rng.IntN(n) == 0
}

func (m *model) violated(format string, args ...any) {
	if m.broken == "" {
		m.broken = fmt.Sprintf(format, args...)
	}
}

func name(t int) string { return fmt.Sprintf("t%d", t) }

func index(id string) (i int) {
	_, _ = fmt.Sscanf(id, "t%d", &i)
	return i
}

func (m *model) actor(n Number) *actor {
	for _, a := range m.actors {
		if a.n == n {
			return a
		}
	}
	return nil
}

// take carries out what the ledger asks for.
func (m *model) take(l Ledger, cs []Command) {
	m.checkLedger(m.ledger, l)
	m.ledger = l
	for _, c := range cs {
		switch {
		case c.Start != 0:
			m.start(c.Start, c.Standing)
		case c.Compare != 0:
			y, o := m.actor(c.Compare), m.actor(c.With)
			e := message{about: y.n, with: o.n, found: Comparison{Needs(y.cut, o.cut), Covers(y.cut, o.cut)}}
			if m.script != nil && m.budget["overtake"] == 0 {
				defer m.arrives(e)
				break
			}
			m.toTrain = append(m.toTrain, e)
		default:
			m.toRollout = append(m.toRollout, c)
		}
	}
}

// start starts a rollout, or one that was terminated once more: that one takes back what its
// history says.
func (m *model) start(n Number, s Standing) {
	if a := m.actor(n); a != nil {
		a.standing = s
		m.goBack(a)
		return
	}
	a := &actor{n: n, standing: s, cut: m.cuts(n), phase: "plan", touched: map[int]Number{}, at: map[string]int{}}
	for i, id := range a.cut.Order {
		for s, to := range a.cut.To {
			if i < to {
				a.at[id] = s
				break
			}
		}
	}
	m.actors = append(m.actors, a)
}

// goBack begins the way back of a rollout.
func (m *model) goBack(a *actor) {
	a.phase, a.left = "back", nil
	for _, t := range slices.Backward(a.order) {
		a.left = append(a.left, t)
	}
}

// hear acts by a standing, and acknowledges it.
func (m *model) hear(a *actor, s Standing) {
	if s.Version <= a.standing.Version || a.phase == "terminated" || a.phase == "ended" {
		return
	}
	switch m.flaw {
	case shyWayBack:
		s.Back = s.Fence + 1
	case sameTerm:
		if a.standing.Version > 0 {
			s.Back = a.standing.Back
		}
	}
	a.standing = s
	defer m.report(a)
	switch {
	case s.WithdrawnBy != 0 && a.phase != "back" && m.flaw != deaf:
		m.goBack(a)
	case s.SupersededBy != 0 && m.flaw == leavesEarly && a.phase != "back":
		m.end(a, "superseded")
	case s.Leave && (a.phase == "guard" || a.phase == "wait" || a.phase == "plan"):
		result := Promoted
		if a.phase != "guard" {
			result = "superseded"
		}
		m.end(a, result)
	}
}

func (m *model) end(a *actor, result string) {
	a.phase, a.result = "ended", result
	m.report(a)
}

// write is an order that arrives at a target. It answers whether the target has taken it.
func (m *model) write(o order) bool {
	t := &m.targets[o.target]
	if o.fence < t.fence && m.flaw != noFences {
		return false
	}
	m.checkWrite(o)
	t.fence, t.release, t.back = o.fence, o.release, o.back
	if !o.back {
		t.forward = o.from
		if !slices.Contains(t.writers, o.from) {
			t.writers = append(t.writers, o.from)
		}
	}
	m.checkArms()
	return true
}

// send sends an order, which arrives, and perhaps once more later.
func (m *model) send(o order) bool {
	if o.back && slices.Contains(m.actor(o.from).standing.Condemned, fmt.Sprint(o.release)) {
		m.violated("rollout %d puts back release %d, which it knows to be condemned", o.from, o.release)
	}
	if m.budget["late"] > 0 && m.chance(4) {
		m.budget["late"]--
		m.late = append(m.late, o)
	}
	return m.write(o)
}

// step is something that can happen, in words, and trouble that need not.
type step struct {
	format  string
	args    []any
	trouble bool
	do      func()
}

func (s step) String() string { return fmt.Sprintf(s.format, s.args...) }

// may is a trouble that still may happen.
type may func(kind string, do func(), format string, args ...any)

// steps are all that can happen now. Troubles are left out when the world is to come to rest.
func (m *model) steps(troubles bool) (out []step) {
	add := func(do func(), format string, args ...any) { out = append(out, step{format, args, false, do}) }
	may := func(kind string, do func(), format string, args ...any) {
		if troubles && m.budget[kind] > 0 {
			out = append(out, step{format, args, true, func() { m.budget[kind]--; do() }})
		}
	}
	may("submit", m.submit, "submit")
	may("hold", func() { m.take(m.ledger.Keep("by a person")) }, "a person holds the unit")
	for i, e := range m.toTrain {
		in := add
		older := func(o message) bool { return o.report != nil && e.report != nil && o.about == e.about }
		if m.script != nil && slices.ContainsFunc(m.toTrain[:i], older) {
			in = func(do func(), format string, args ...any) { may("overtake", do, format, args...) }
		}
		in(func() {
			m.toTrain = slices.Delete(slices.Clone(m.toTrain), i, i+1)
			m.arrives(e)
		}, "%s", e)
		may("repeat", func() { m.arrives(e) }, "twice: %s", e)
	}
	for i, c := range m.toRollout {
		in := add
		if m.script != nil && slices.ContainsFunc(m.toRollout[:i], func(o Command) bool { return o.Tell == c.Tell }) {
			in = func(do func(), format string, args ...any) { may("overtake", do, format, args...) }
		}
		in(func() {
			m.toRollout = slices.Delete(slices.Clone(m.toRollout), i, i+1)
			m.hear(m.actor(c.Tell), c.Standing)
		}, "rollout %d hears %d", c.Tell, c.Standing.Version)
	}
	for i, o := range m.late {
		add(func() {
			m.late = slices.Delete(slices.Clone(m.late), i, i+1)
			m.write(o)
		}, "a late order of %d arrives at %d", o.from, o.target)
	}
	for i := range m.targets {
		t := &m.targets[i]
		if t.silent {
			add(func() { t.silent = false }, "target %d answers again", i)
		} else {
			may("silent", func() { t.silent = true }, "target %d falls silent", i)
		}
	}
	for _, a := range m.actors {
		out = append(out, m.actorSteps(a, may)...)
	}
	return out
}

func (m *model) submit() {
	release := fmt.Sprint(m.ledger.Last + 1)
	l, _, cs, err := m.ledger.Submit(Submission{Release: release, Every: m.budget["every"] > 0 && m.chance(4)})
	if err != nil {
		m.violated("release %s was refused: %v", release, err)
		return
	}
	m.take(l, cs)
}

// actorSteps are what a rollout can do next, and what can happen to it.
func (m *model) actorSteps(a *actor, may may) (out []step) {
	add := func(do func(), format string, args ...any) {
		out = append(out, step{format, append([]any{a.n}, args...), false, do})
	}
	switch a.phase {
	case "plan":
		add(func() {
			a.phase, a.planned = "wait", true
			m.report(a)
		}, "rollout %d is planned")
	case "wait":
		if a.standing.SupersededBy == 0 && a.standing.Enter > a.passed {
			add(func() { m.enters(a) }, "rollout %d enters")
		}
	case "apply":
		add(func() { m.apply(a, a.left[0]) }, "rollout %d applies to %d", a.left[0])
	case "bake":
		add(func() {
			if a.passed, a.phase = a.passed+1, "wait"; a.passed == len(a.cut.To) {
				a.phase = "guard"
			}
			m.report(a)
		}, "rollout %d passes")
	case "guard":
		if !a.standing.Behind {
			add(func() { m.end(a, Promoted) }, "rollout %d ends its guard")
		}
	case "back":
		out = append(out, m.backSteps(a)...)
	}
	if a.phase != "ended" && a.phase != "terminated" && a.phase != "back" {
		may("fail", func() { m.condemn(a) }, "rollout %d fails", a.n)
	}
	if a.phase != "ended" && a.phase != "terminated" {
		may("terminate", func() {
			a.phase = "terminated"
			m.toTrain = append(m.toTrain, message{about: a.n})
		}, "rollout %d is terminated", a.n)
	}
	return out
}

// enters begins a rollout's next stage.
func (m *model) enters(a *actor) {
	a.phase, a.left = "apply", nil
	from := 0
	if a.passed > 0 {
		from = a.cut.To[a.passed-1]
	}
	for _, id := range a.cut.Order[from:a.cut.To[a.passed]] {
		a.left = append(a.left, index(id))
	}
}

// condemn is a verdict on a rollout, or a person's abort.
func (m *model) condemn(a *actor) {
	a.condemns = true
	m.condemned[a.n] = true
	m.goBack(a)
	m.report(a)
}

// apply puts a rollout's release on a target, once the target has said what it runs.
func (m *model) apply(a *actor, t int) {
	if a.left = a.left[1:]; len(a.left) == 0 {
		a.phase = "bake"
	}
	if m.targets[t].silent {
		return // left out
	}
	if m.targets[t].fence > a.standing.Fence && m.flaw != noFences { // another writer owns it: the stage fails
		if a.standing.WithdrawnBy == 0 {
			m.condemn(a)
		}
		return
	}
	a.touched[t] = m.targets[t].release
	a.order = append(a.order, t)
	m.send(order{from: a.n, target: t, release: a.n, fence: a.standing.Fence})
}

// backSteps are the way back of a rollout, target by target.
func (m *model) backSteps(a *actor) (out []step) {
	if len(a.left) == 0 {
		result := "rolled-back"
		if !a.condemns {
			result = "withdrawn"
		}
		return []step{{"rollout %d is back", []any{a.n}, false, func() { m.end(a, result) }}}
	}
	t := a.left[0]
	was := a.touched[t]
	if slices.Contains(a.standing.Condemned, fmt.Sprint(was)) && m.flaw != putsBackAll {
		return []step{{"rollout %d leaves %d to %d", []any{a.n, t, was}, false, func() { a.left = a.left[1:] }}}
	}
	if m.targets[t].silent {
		return nil // it waits
	}
	return []step{{"rollout %d puts %d back to %d", []any{a.n, t, was}, false, func() {
		a.left = a.left[1:]
		if m.flaw == onlyNewest && m.targets[t].release != a.n {
			return
		}
		m.send(order{from: a.n, target: t, release: was, fence: a.standing.Back, back: true})
	}}}
}

// run takes random steps until the troubles are used up, and then lets the world come to rest.
func (m *model) run(steps int) {
	m.submit()
	for range steps {
		calm, all := m.steps(false), m.steps(true)
		if len(all) == 0 || m.broken != "" {
			break
		}
		switch {
		case m.rng.IntN(10) == 0 && m.budget["submit"] > 0:
			m.do(all[0])
		case len(calm) == 0 || m.rng.IntN(12) == 0:
			m.do(all[m.rng.IntN(len(all))])
		default:
			m.do(calm[m.rng.IntN(len(calm))])
		}
	}
	m.rest()
}

func (m *model) do(s step) {
	m.trace = append(m.trace, s)
	s.do()
}

// person is what a person does once nothing else happens any more; nil if nothing is left to do.
func (m *model) person() *step {
	switch lost := slices.IndexFunc(m.ledger.Open, func(r Rollout) bool { return r.State == Lost }); {
	case lost >= 0:
		n := m.ledger.Open[lost].Number
		return &step{"a person has %d taken back", []any{n}, false, func() {
			m.actor(n).condemns, m.condemned[n] = true, true
			m.take(m.ledger.TakeBack(n))
		}}
	case m.ledger.Hold != nil:
		return &step{"a person ends the hold", nil, false, func() { m.take(m.ledger.Release()) }}
	}
	return nil
}

// rest lets everything happen that was begun. What is held is released, and what was lost is taken
// back.
func (m *model) rest() {
	for n := 0; m.broken == ""; n++ {
		all := m.steps(false)
		if n > 20_000 {
			m.violated("it never comes to rest")
			return
		}
		if len(all) > 0 {
			m.do(all[m.rng.IntN(len(all))])
			continue
		}
		s := m.person()
		if s == nil {
			m.checkEnd()
			return
		}
		m.do(*s)
	}
}

// words are the steps that were taken, for a message.
func (m *model) words() string {
	out := m.broken
	for _, s := range m.trace {
		out += "\n\t" + s.String()
	}
	return out
}
