package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/spec"
)

// report is one of the tables.
type report struct {
	name string
	make func([]result) *table.Table
}

func reports() []report {
	return []report{{"ways", ways}, {"goals", goals}, {"sluice", sluice}, {"healthy", healthy}, {"outages", each}, {"sources", sources}}
}

func long(s float64) string {
	if math.IsInf(s, 1) {
		return "–"
	}
	return spec.Duration(time.Duration(math.Round(s)) * time.Second).String()
}

func percent(x float64) string { return humanize.PercentTo(x, 3) }

// ways is the median over outages, for each way.
func ways(results []result) *table.Table {
	with := signalling(results)
	t := &table.Table{
		Title: fmt.Sprintf("The same change deployed in five ways: medians over %d outages with a signal", len(with)),
		Head:  []string{"way", "share of the fleet exposed", "time to detect", "time to undo", "bad requests, of a push", "a person was needed"},
	}
	for _, w := range outages.Ways() {
		middle := func(of func(cost) float64) float64 {
			return median(with, func(r result) float64 { return of(r.cost(w)) })
		}
		persons := 0
		for _, r := range with {
			if r.cost(w).person {
				persons++
			}
		}
		t.Add(string(w), percent(middle(func(c cost) float64 { return c.exposed })), long(middle(func(c cost) float64 { return c.detected })),
			long(middle(func(c cost) float64 { return c.undone })), percent(middle(func(c cost) float64 { return c.share })),
			fmt.Sprintf("%d of %d", persons, len(with)))
	}
	return t
}

// goal is what was set out, and what came out.
type goal struct {
	text, got string
	held      bool
}

func goalsOf(results []result) []goal {
	with, all := signalling(results), countsOf(results...)
	share := func(hits, of int) string {
		low, high := sequential.Wilson(float64(hits), float64(of))
		return fmt.Sprintf("%s (%d of %d; 95%% interval %s to %s)",
			percent(float64(hits)/float64(max(1, of))), hits, of, percent(low), percent(high))
	}
	exposed := median(with, func(r result) float64 { return r.cost(outages.Gated).exposed })
	first := median(with, func(r result) float64 { return r.First })
	bad := median(with, func(r result) float64 { return r.cost(outages.Gated).share })
	right, back := all.precision()
	found, harm := all.recall()
	exposure := fmt.Sprintf("%s; the first cohort is %s", percent(exposed), percent(first))
	return []goal{
		{"share of the fleet exposed: at most the first cohort, in the median", exposure, exposed <= first},
		{"bad requests: at most 1% of a push, in the median", percent(bad), bad <= 0.01},
		{"precision: at least 99% of what was taken back did harm", share(right, back), float64(right) >= 0.99*float64(back)},
		{"recall: all of what showed harm was taken back", share(found, harm), found == harm},
	}
}

func goals(results []result) *table.Table {
	t := &table.Table{Title: "Goals", Head: []string{"goal", "measured", "held"}}
	for _, g := range goalsOf(results) {
		t.Add(g.text, g.got, map[bool]string{true: "yes", false: "**no**"}[g.held])
	}
	return t
}

// held is an error where a goal was missed.
func held(results []result) error {
	var errs []error
	for _, g := range goalsOf(results) {
		if !g.held {
			errs = append(errs, fmt.Errorf("goal missed: %s: %s", g.text, g.got))
		}
	}
	return errors.Join(errs...)
}

// sluice says of every outage how rollouts of Sluice ended, and what they could not have done.
func sluice(results []result) *table.Table {
	t := &table.Table{
		Title: "What Sluice did, and what no gate could",
		Head:  []string{"outage", "rollouts", "at stage", "by the check", "exposed, at most", "what it would not have helped"},
	}
	for _, r := range harmful(results) {
		var stages, checks []string
		worst := 0.0
		for _, p := range r.Gated {
			stages, checks, worst = append(stages, p.Stage), append(checks, strings.Join(p.Blamed, " and ")), max(worst, p.Exposed)
		}
		t.Add(r.Outage.Name, countsOf(r).String(), mostly(stages), mostly(checks), percent(worst), orDash(r.Outage.Limits))
	}
	return t
}

// mostly are the different words of a list, the most frequent first.
func mostly(words []string) string {
	n := map[string]int{}
	var all []string
	for _, w := range words {
		if w == "" {
			continue
		}
		if n[w]++; n[w] == 1 {
			all = append(all, w)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return n[b] - n[a] })
	return orDash(strings.Join(all, ", "))
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

// String lists what there is of each verdict.
func (c counts) String() string {
	var out []string
	for _, v := range []verdict{caught, passed, missed, unseen, blamed, unfinished} {
		if c[v] > 0 {
			out = append(out, fmt.Sprintf("%d %s", c[v], v))
		}
	}
	return strings.Join(out, ", ")
}

// healthy says how often good changes were taken back.
func healthy(results []result) *table.Table {
	t := &table.Table{
		Title: "Good changes beside troubles that are not theirs",
		Head:  []string{"scenario", "rollouts", "taken back", "by the check", "95% interval"},
	}
	total := counts{}
	runs := 0
	add := func(name, checks string, back, of int) {
		low, high := sequential.Wilson(float64(back), float64(of))
		t.Add(name, fmt.Sprint(of), fmt.Sprint(back), checks, percent(low)+" to "+percent(high))
	}
	for _, r := range results {
		if r.Outage.Harmful() {
			continue
		}
		c := countsOf(r)
		var checks []string
		for _, p := range r.Gated {
			checks = append(checks, strings.Join(p.Blamed, " and "))
		}
		add(r.Outage.Title, mostly(checks), c[blamed], len(r.Gated))
		total[blamed] += c[blamed]
		total[unfinished] += c[unfinished]
		runs += len(r.Gated)
	}
	add("all", "", total[blamed], runs)
	if n := total[unfinished]; n > 0 {
		t.Note("%d more ended neither promoted nor taken back: they wait for a person.", n)
	}
	return t
}

// each is every outage in every way.
func each(results []result) *table.Table {
	t := &table.Table{
		Title: "Every outage, in every way",
		Head:  []string{"outage", "way", "exposed", "detected", "undone", "bad requests", "of a push", "a person"},
	}
	for _, r := range harmful(results) {
		for i, w := range outages.Ways() {
			c := r.cost(w)
			name := ""
			if i == 0 {
				name = "**" + r.Outage.Name + "**"
			}
			t.Add(name, string(w), percent(c.exposed), long(c.detected), long(c.undone),
				humanize.Integer(c.bad), percent(c.share), map[bool]string{true: "yes", false: "no"}[c.person])
		}
	}
	t.Note("Rows of Sluice are medians over its rollouts.")
	return t
}

// sources says where each outage's values are from.
func sources(results []result) *table.Table {
	t := &table.Table{
		Title: "Where the values are from",
		Head:  []string{"outage", "what happened", "source", "read", "second-hand", "from memory", "modelled"},
	}
	for _, r := range harmful(results) {
		o := r.Outage
		links := []string{}
		for _, s := range o.Sources {
			links = append(links, "["+orDash(o.Org)+"]("+s+")")
		}
		row := []string{o.Name, orDash(o.Title), orDash(strings.Join(links, ", "))}
		for _, g := range []outages.Grade{outages.Read, outages.SecondHand, outages.Memory, outages.Modelled} {
			var fields []string
			for _, field := range []string{"faults", "load", "fleet", "spread", "detected", "mitigated", "over"} {
				if o.Grades[field] == g {
					fields = append(fields, field)
				}
			}
			row = append(row, orDash(strings.Join(fields, ", ")))
		}
		t.Add(row...)
	}
	return t
}
