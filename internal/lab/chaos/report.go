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
	what    string
	victims []victim
	phases  []phase
	seed    uint64
	began   time.Time

	mu       sync.Mutex
	rollouts int
	kills    int
	missed   int // kills that hit another phase than they were aimed at
	real     map[cell]int
	outcomes map[rollout.Phase]int
	changed  []string // why an end may have changed
	broken   []string // where to look
	breaches int
	looks    int // at hosts
}

func newTally(what string, seed uint64, victims []victim, phases []phase) *tally {
	return &tally{
		what: what, victims: victims, phases: phases, seed: seed, began: time.Now(), real: map[cell]int{}, outcomes: map[rollout.Phase]int{},
	}
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
	source := "scrape"
	if e.trial.prometheus {
		source = "prometheus"
	}
	line := fmt.Sprintf("#%03d %-9s %-10s %-11s %5.1fs  %s", e.trial.n, e.trial.scenario.name, source, result,
		e.ended.Sub(e.began).Seconds(), t.hit(e.hits))
	if changed != "" {
		t.changed = append(t.changed, fmt.Sprintf("#%03d %s instead of %s: %s", e.trial.n, result, e.expected(), changed))
		line += "\n     changed end, allowed: " + changed
	}
	return line + t.breaks(e.trial.n, broken, dir)
}

// hit counts faults, and lists them.
func (t *tally) hit(hits []hit) string {
	var out []string
	for _, h := range hits {
		t.kills++
		t.real[cell{h.victim, h.real}]++
		out = append(out, h.String())
		if h.real != h.wanted {
			t.missed++
		}
	}
	return strings.Join(out, ", ")
}

// breaks counts what was broken, and answers the lines that tell of it.
func (t *tally) breaks(n int, broken []violation, dir string) (lines string) {
	if len(broken) == 0 {
		return ""
	}
	t.breaches += len(broken)
	t.broken = append(t.broken, fmt.Sprintf("#%03d (-seed %d -only %d): %s", n, t.seed, n, dir))
	for _, v := range broken {
		lines += "\n     VIOLATION " + v.String()
	}
	return lines + "\n     kept in " + dir
}

// addTrain is add for a train.
func (t *tally) addTrain(e trainEvidence, broken []violation, dir string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := fmt.Sprintf("#%03d %5.1fs  %s ", e.trial.n, e.ended.Sub(e.began).Seconds(), t.hit(e.hits))
	for i, r := range e.rollouts {
		t.rollouts++
		t.outcomes[r.result()]++
		line += fmt.Sprintf(" %d %s", i+1, r.result())
	}
	return line + t.breaks(e.trial.n, broken, dir)
}

// addDelivery is add for a rollout of a bundle, which keeps everything in a folder that others
// share.
func (t *tally) addDelivery(d delivered, dir string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rollouts++
	t.looks += d.looks
	n, got := d.delivery.n, d.state.Outcome.Result
	t.outcomes[got]++
	line := fmt.Sprintf("#%03d %-8s %-11s %5.1fs  %s", n, d.delivery.cargo.name, got, d.took.Seconds(), t.hit(d.hits))
	if why := d.changed(); why != "" {
		t.changed = append(t.changed, fmt.Sprintf("#%03d %s instead of %s: %s", n, got, d.delivery.cargo.end, d.state.Outcome.Why))
	}
	return line + t.breaks(n, d.broken, dir)
}

// say prints a line.
func (t *tally) say(out io.Writer, line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(out, line)
}

// print writes the matrix of faults and the sums.
func (t *tally) print(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(out, "\nfaults by kind and phase")
	printMatrix(out, t.real, t.victims, t.phases)
	dead, end := 0, ""
	if t.looks > 0 {
		end = fmt.Sprintf(" looks=%d", t.looks)
	}
	for c, n := range t.real {
		if slices.Contains([]victim{worker, server, fleet, source, oneAgent, allAgents, oneRelay}, c.victim) {
			dead += n
		}
	}
	fmt.Fprintf(out, "\noutcomes: %s\n", ends(t.outcomes))
	for _, c := range t.changed {
		fmt.Fprintf(out, "changed end, allowed: %s\n", c)
	}
	for _, b := range t.broken {
		fmt.Fprintf(out, "VIOLATION in %s\n", b)
	}
	fmt.Fprintf(out, "%s: seed=%d rollouts=%d faults=%d killed=%d beside_their_phase=%d changed_ends=%d violations=%d%s in %s\n",
		t.what, t.seed, t.rollouts, t.kills, dead, t.missed, len(t.changed), t.breaches, end, time.Since(t.began).Round(time.Second))
}

// ends lists how often rollouts ended how.
func ends(outcomes map[rollout.Phase]int) string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(outcomes)) {
		out = append(out, fmt.Sprintf("%s %d", p, outcomes[p]))
	}
	return strings.Join(out, ", ")
}

// printMatrix writes how often whom a fault has hit in which phase, with those before and after a
// rollout where there are any.
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
