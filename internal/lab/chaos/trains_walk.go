package main

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/lab/sim"
)

// walk is what comes of going through all that the targets have logged, in its order.
type walk struct {
	e       trainEvidence
	forth   map[int64]int // the rollout whose applies have a fence
	targets map[string]*taken
	off     map[int]time.Time // when a rollout's release was first taken back somewhere
	broken  []violation
}

// taken is what one target has taken: rollouts by number, and 0 for what it ran at first.
type taken struct {
	runs, youngest int
	fence          int64
	first          map[int]time.Time // when it took a rollout's release, going forward
	back           map[int]bool      // whose release was taken back from it
}

func (e trainEvidence) walk() *walk {
	w := &walk{e: e, forth: map[int64]int{}, targets: map[string]*taken{}, off: map[int]time.Time{}}
	for i, r := range e.rollouts {
		for _, f := range r.fences {
			if n := w.forth[f]; n != 0 && n != i+1 {
				w.broken = append(w.broken, ruleFence.broken("rollouts %d and %d have the same fence %d", n, i+1, f))
			}
			w.forth[f] = i + 1
		}
	}
	for _, o := range accepted(e.orders) {
		t := w.at(o.Target)
		if o.Fence < t.fence {
			w.fail(ruleFence, o, "it had taken %d", t.fence)
		}
		t.fence = o.Fence
		if n, forward := w.forth[o.Fence]; forward {
			w.goForth(o, t, n)
		} else {
			w.goBack(o, t)
		}
	}
	return w
}

func (w *walk) at(id string) *taken {
	if w.targets[id] == nil {
		w.targets[id] = &taken{first: map[int]time.Time{}, back: map[int]bool{}}
	}
	return w.targets[id]
}

func (w *walk) fail(r rule, o sim.Entry, format string, args ...any) {
	w.broken = append(w.broken, r.broken("%s at %s, %q with fence %d: %s",
		o.Target, o.Time.Local().Format(clock), o.Release, o.Fence, fmt.Sprintf(format, args...)))
}

// goForth takes an apply in: never after one of a younger rollout, nor once it was taken back, nor
// before the stage before has baked.
func (w *walk) goForth(o sim.Entry, t *taken, n int) {
	r := w.e.rollouts[n-1]
	switch off, condemned := w.off[n]; {
	case o.Release != r.state.Release:
		w.fail(ruleFence, o, "the fence is that of rollout %d", n)
	case n < t.youngest:
		w.fail(ruleFence, o, "it had taken rollout %d before", t.youngest)
	case t.back[n]:
		w.fail(ruleFence, o, "rollout %d had been taken back from it", n)
	case condemned && w.e.late(off, o.Time):
		w.fail(ruleHop, o, "rollout %d was taken back elsewhere at %s", n, off.Local().Format(clock))
	}
	if _, again := t.first[n]; !again {
		t.first[n] = o.Time
		if s := stageOf(r.cohorts, o.Target); s > 0 {
			for _, id := range r.cohorts[s-1] {
				if at, took := w.at(id).first[n]; took && o.Time.Sub(at) < shortBake {
					w.fail(ruleOrder, o, "%s of the stage before took it at %s", id, at.Local().Format(clock))
				}
			}
		}
	}
	t.runs, t.youngest = n, max(n, t.youngest)
}

// goBack takes a way back in: it leads to what the target ran before, and to nothing that was
// condemned.
func (w *walk) goBack(o sim.Entry, t *taken) {
	to, known := 0, o.Release == firstRelease
	for n := range t.first {
		if w.e.rollouts[n-1].state.Release == o.Release {
			to, known = max(to, n), true
		}
	}
	switch off, condemned := w.off[to]; {
	case !known:
		w.fail(ruleEnd, o, "it had never run that")
	case t.back[to]:
		w.fail(ruleHop, o, "rollout %d had been taken back from it", to)
	case condemned && !w.e.trainless && w.e.late(off, o.Time):
		w.fail(ruleHop, o, "rollout %d was taken back elsewhere at %s", to, off.Local().Format(clock))
	}
	if t.runs != to {
		t.back[t.runs] = true
		if _, before := w.off[t.runs]; !before {
			w.off[t.runs] = o.Time
		}
	}
	t.runs = to
}

// grace is how long an order may be on its way after what forbids it, with every process alive.
const grace = 5 * time.Second

// late says that an order came long after something: for longer than any process was away
// meanwhile.
func (e trainEvidence) late(after, at time.Time) bool {
	most := grace
	for _, h := range e.hits {
		most += time.Duration(max(0, min(h.up.UnixNano(), at.UnixNano())-max(h.at.UnixNano(), after.UnixNano())))
	}
	return at.Sub(after) > most
}
