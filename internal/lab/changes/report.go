package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/lab/table"
)

// judged is how one judge ended every change of a set.
type judged struct {
	name string
	ends []decision
}

// report judges every change of a set, by Sluice at each rate and by the others.
func report(ctx context.Context, s set, changes []change, verbose io.Writer) (*table.Table, error) {
	t := &table.Table{
		Title: fmt.Sprintf("%s: %d bad and %d good changes", s.title, count(changes, true), count(changes, false)),
		Head: []string{
			"judge", "bad: blamed", "refused", "held", "missed", "good: blamed", "refused", "held",
			"median delay of a blame, s", "precision", "recall", "F1", "F1 of what was stopped",
		},
	}
	var first, last judged
	for i, rate := range rates {
		all := judged{name: "Sluice, at " + rate}
		for _, c := range changes {
			d, err := rollout(ctx, at(rate, s.spec), c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			all.ends = append(all.ends, d)
			if verbose != nil && i == 0 {
				fmt.Fprintf(verbose, "%s: bad %v: %s after %s: %s: %s\n", c.name, c.bad, d.ending, d.after, d.check, d.why)
			}
		}
		t.Add(all.row(changes)...)
		if i == 0 {
			first = all
		}
		last = all
	}
	few, many := first.many(changes, false, blamed), last.many(changes, false, blamed, held, refused)
	for _, r := range rivals() {
		m := newMatch(r, s, changes)
		t.Add(m.stopping(fmt.Sprintf("%s, %d good ones", r.name, few), few).row(changes)...)
		if many > few {
			t.Add(m.stopping(fmt.Sprintf("%s, %d good ones", r.name, many), many).row(changes)...)
		}
	}
	if alone, all := first.alone(changes); all > 0 {
		t.Note("Of %d times that changes were under way at once, the bad one alone was blamed in %d (at %s).", all, alone, rates[0])
	}
	return t, nil
}

func count(changes []change, bad bool) (n int) {
	for _, c := range changes {
		if c.bad == bad {
			n++
		}
	}
	return n
}

// many is how many bad, or good, changes ended so.
func (j judged) many(changes []change, bad bool, ends ...ending) (n int) {
	for i, c := range changes {
		if c.bad == bad && slices.Contains(ends, j.ends[i].ending) {
			n++
		}
	}
	return n
}

// row is a judge's row of the table.
func (j judged) row(changes []change) []string {
	var delays []time.Duration
	for i, c := range changes {
		if c.bad && j.ends[i].ending == blamed {
			delays = append(delays, j.ends[i].after)
		}
	}
	slices.Sort(delays)
	delay := "–"
	if len(delays) > 0 {
		delay = fmt.Sprintf("%.0f", delays[(len(delays)-1)/2].Seconds())
	}
	cell := func(bad bool, e ending) string { return fmt.Sprint(j.many(changes, bad, e)) }
	precision, recall, f1 := j.scores(changes, blamed)
	_, _, stopped := j.scores(changes, blamed, refused, held)
	return []string{
		j.name,
		cell(true, blamed), cell(true, refused), cell(true, held), cell(true, promoted),
		cell(false, blamed), cell(false, refused), cell(false, held),
		delay, precision, recall, f1, stopped,
	}
}

// scores are precision, recall and F1 of some endings.
func (j judged) scores(changes []change, ends ...ending) (precision, recall, f1 string) {
	hit, wrong, all := j.many(changes, true, ends...), j.many(changes, false, ends...), count(changes, true)
	part := func(n, of int) string {
		if of == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f", float64(n)/float64(of))
	}
	return part(hit, hit+wrong), part(hit, all), part(2*hit, hit+wrong+all)
}

// alone is in how many groups of changes the bad one was blamed and no other.
func (j judged) alone(changes []change) (alone, all int) {
	ok := map[string]bool{}
	for i, c := range changes {
		if c.group != "" {
			right, seen := ok[c.group]
			ok[c.group] = (right || !seen) && c.bad == (j.ends[i].ending == blamed)
		}
	}
	for _, right := range ok {
		if all++; right {
			alone++
		}
	}
	return alone, all
}

// match is what a rival makes of all changes: of each, for every minute of the bake, how many good
// changes look as bad in the end. A limit for each signal, as strict among the good changes as
// those of the other signals, is a limit on that number.
type match struct {
	changes []change
	alike   [][]int
}

func newMatch(r rival, s set, changes []change) match {
	m := match{changes: changes, alike: make([][]int, len(changes))}
	for _, signal := range s.signals {
		scores, good := make([][]float64, len(changes)), []float64(nil)
		for i, c := range changes {
			scores[i] = r.score(c.watch(signal, s.bake))
			if !c.bad {
				good = append(good, scores[i][len(scores[i])-1])
			}
		}
		slices.Sort(good)
		for i, of := range scores {
			for k, score := range of {
				n := len(changes) // no score yet
				if !math.IsInf(score, -1) {
					at, _ := slices.BinarySearch(good, score)
					n = len(good) - at
				}
				if k < len(m.alike[i]) {
					m.alike[i][k] = min(n, m.alike[i][k])
				} else {
					m.alike[i] = append(m.alike[i], n)
				}
			}
		}
	}
	return m
}

// stopping are the decisions with the limit that stops most changes, but no more than so many good
// ones.
func (m match) stopping(name string, most int) judged {
	var best judged
	for limit := range len(m.changes) {
		j := judged{name: name}
		for _, minutes := range m.alike {
			d := decision{ending: promoted}
			if k := slices.IndexFunc(minutes, func(n int) bool { return n <= limit }); k >= 0 {
				d = decision{ending: blamed, after: time.Duration(k+1) * time.Minute}
			}
			j.ends = append(j.ends, d)
		}
		if j.many(m.changes, false, blamed) > most {
			break
		}
		best = j
	}
	return best
}
