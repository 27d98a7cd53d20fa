package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/sluicehq/sluice/internal/terminal"
)

// listTable are the rows of a list: a table, or where that has no room a table of what matters
// most, with the rest below each row. 0 is no limit of the width.
func listTable(rows []listed, now time.Time, width int, p paint) []string {
	table := [][]string{p.headings("UNIT", "RELEASE", "PHASE", "SINCE", "STAGE", "OUTCOME", "STARTED", "BY", "WHY")}
	for _, r := range rows {
		phase := p.phase(r.Phase)
		if r.paused() != nil {
			phase += p.yellow(", " + phasePaused)
		}
		table = append(table, []string{
			terminal.Safe(r.Unit), terminal.Safe(r.what()), phase, sinceWord(r.since(), now), terminal.Safe(orDash(glanceAt(r.view, now).Stage)),
			p.phase(orDash(r.Outcome)), stamp(r.StartedAt, now), terminal.Safe(orDash(r.By)), terminal.Safe(cut(r.why(), maxWhy)),
		})
	}
	whole := columns(table)
	if width <= 0 || !slices.ContainsFunc(whole, func(l string) bool { return ansi.StringWidth(l) > width }) {
		return whole
	}
	const first = 5
	for i := range table {
		table[i] = table[i][:first]
	}
	var lines []string
	for i, l := range columns(table) {
		lines = append(lines, l)
		if i == 0 {
			continue
		}
		r := rows[i-1]
		below := "started " + stamp(r.StartedAt, now) + " by " + terminal.Safe(orDash(r.By))
		if r.Outcome != "" && r.Outcome != r.Phase {
			below = p.phase(r.Outcome) + ", " + below
		}
		if why := r.why(); why != "" {
			below += ": " + terminal.Safe(why)
		}
		lines = append(lines, "  "+below)
	}
	return lines
}

// maxWhy is how many cells of a reason a list shows.
const maxWhy = 60

// cut bounds a text to a number of cells.
func cut(s string, width int) string { return ansi.Truncate(s, width, "…") }

func orDash(s string) string { return cmp.Or(s, "–") }

// none says why a list is empty, and what to do.
func (g listing) none(f listFilter) string {
	switch {
	case g.silent+g.unasked > 0:
		return "no rollout that answered matches; the others did not answer"
	case f.open || f.unit != "" || f.phase != "" || f.outcome != "":
		return "no rollouts match; without filters, sluice list shows the newest"
	}
	return "no rollouts yet: sluice start rollout.yaml starts one"
}

// notes says what the list does not show.
func (g listing) notes(con *console) {
	if g.silent > 0 {
		con.say("%s did not answer, so the phase shown is that of Temporal's index. Is a worker up?\n"+
			"sluice-worker starts one; sluice status UNIT says more", plural(g.silent, "rollout"))
	}
	if g.more {
		con.say("more rollouts match: --limit N shows up to N of them")
	}
	if g.unasked > 0 {
		con.say("only the newest %d rollouts that run were asked for their phase: --unit narrows the list", maxAsked)
	}
}
