package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/rollout"
)

// tally counts what a run has seen. It is safe for concurrent use.
type tally struct {
	seed  uint64
	began time.Time

	mu       sync.Mutex
	rollouts int
	kills    int
	missed   int // kills that hit another phase than they were aimed at
	real     map[cell]int
	outcomes map[rollout.Phase]int
	changed  []string // why an end may have changed
	broken   []string // where to look
	breaches int
}

func newTally(seed uint64) *tally {
	return &tally{seed: seed, began: time.Now(), real: map[cell]int{}, outcomes: map[rollout.Phase]int{}}
}

// killed is how many kills there were so far.
func (t *tally) killed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kills
}

// add counts a rollout, and answers the line that tells of it.
func (t *tally) add(e evidence, broken []violation, changed, dir string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rollouts++
	result := rollout.Phase("stuck")
	if o := e.state.Outcome; o != nil {
		result = o.Result
	}
	t.outcomes[result]++
	var kills []string
	for _, h := range e.hits {
		t.kills++
		t.real[cell{h.victim, h.real}]++
		kills = append(kills, h.String())
		if h.real != h.wanted {
			t.missed++
		}
	}
	source := "scrape"
	if e.trial.prometheus {
		source = "prometheus"
	}
	line := fmt.Sprintf("#%03d %-9s %-10s %-11s %5.1fs  %s", e.trial.n, e.trial.kind.name, source, result,
		e.ended.Sub(e.began).Seconds(), strings.Join(kills, ", "))
	if changed != "" {
		t.changed = append(t.changed, fmt.Sprintf("#%03d %s instead of %s: %s", e.trial.n, result, e.expected(), changed))
		line += "\n     changed end, allowed: " + changed
	}
	if len(broken) > 0 {
		t.breaches += len(broken)
		t.broken = append(t.broken, fmt.Sprintf("#%03d (-seed %d -only %d): %s", e.trial.n, t.seed, e.trial.n, dir))
		for _, v := range broken {
			line += "\n     VIOLATION " + v.String()
		}
		line += "\n     kept in " + dir
	}
	return line
}

// print writes the matrix of faults and the sums.
func (t *tally) print(out io.Writer, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(out, "\nfaults by kind and phase")
	printMatrix(out, t.real, victims(), phases())
	fmt.Fprintf(out, "\noutcomes: %s\n", ends(t.outcomes))
	for _, c := range t.changed {
		fmt.Fprintf(out, "changed end, allowed: %s\n", c)
	}
	for _, b := range t.broken {
		fmt.Fprintf(out, "VIOLATION in %s\n", b)
	}
	fmt.Fprintf(out, "chaos: seed=%d rollouts=%d faults=%d beside_their_phase=%d changed_ends=%d violations=%d in %s\n",
		t.seed, t.rollouts, t.kills, t.missed, len(t.changed), t.breaches, now.Sub(t.began).Round(time.Second))
}

// ends lists how often rollouts ended how.
func ends(outcomes map[rollout.Phase]int) string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(outcomes)) {
		out = append(out, fmt.Sprintf("%s %d", p, outcomes[p]))
	}
	return strings.Join(out, ", ")
}

// printMatrix writes how often whom a fault has hit in which phase, with those before and after a rollout where there are any.
func printMatrix(out io.Writer, real map[cell]int, victims []victim, phases []phase) {
	columns := append([]phase{before}, append(slices.Clone(phases), ended)...)
	columns = slices.DeleteFunc(columns, func(p phase) bool {
		return !slices.Contains(phases, p) && !slices.ContainsFunc(victims, func(v victim) bool { return real[cell{v, p}] > 0 })
	})
	fmt.Fprintf(out, "\n%-8s", "")
	for _, p := range columns {
		fmt.Fprintf(out, " %8s", p)
	}
	fmt.Fprintf(out, " %8s\n", "all")
	for _, v := range victims {
		fmt.Fprintf(out, "%-8s", v)
		all := 0
		for _, p := range columns {
			n := real[cell{v, p}]
			all += n
			fmt.Fprintf(out, " %8d", n)
		}
		fmt.Fprintf(out, " %8d\n", all)
	}
}
