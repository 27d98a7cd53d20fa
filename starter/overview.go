package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/sluicehq/sluice/internal/terminal"
)

// overview follows every open rollout of a deployment.
type overview struct {
	remote  *remote
	con     *console
	timeout time.Duration // 0 means none
	screen  *screen
	known   map[string]view // by run
	shown   map[string]glance
	// ended says when those that have ended were first seen so, and codes are the exit codes of
	// those that are no longer shown.
	ended map[string]time.Time
	codes map[int]bool
}

// keepEnded is how long a rollout that has ended stays on the screen.
const keepEnded = 5 * time.Minute

// follow shows all rollouts until none runs any more. It answers the exit code of the one that
// ended worst.
func (o *overview) follow(ctx context.Context) (int, error) {
	o.known, o.shown, o.codes = map[string]view{}, map[string]glance{}, map[int]bool{}
	o.ended = map[string]time.Time{}
	if o.con.screen != nil && !o.con.json {
		o.screen = &screen{out: o.con.out, size: o.con.size}
	}
	left, err := looking(ctx, o.timeout, func(ctx context.Context) (bool, error) {
		open, trouble, err := o.look(ctx)
		if err == nil && !over(ctx) {
			err = o.show(trouble)
		}
		return err == nil && open == 0 && trouble == "", err
	})
	switch {
	case left != "":
		return exitRunning, o.stop(runningf("%s: what runs goes on\n  look again: sluice watch", left))
	case err != nil:
		return 0, o.stop(err)
	}
	return o.code(), o.stop(nil)
}

// look asks for every rollout that runs, and for how those ended that ran before. Trouble says that
// Temporal does not answer.
func (o *overview) look(ctx context.Context) (open int, trouble string, err error) {
	got, err := o.remote.list(ctx, listFilter{open: true, limit: maxAsked, unasked: true})
	if err != nil {
		if transient(err) && len(o.known) > 0 {
			return 0, "Temporal does not answer; trying again: " + rootMessage(err), nil
		}
		return 0, "", err
	}
	if len(got.rows) == 0 && len(o.known) == 0 && len(o.codes) == 0 {
		return 0, "", invalidf("no rollout runs: start one with sluice start, or name a UNIT to see its last")
	}
	if got.more {
		trouble = "more than " + plural(maxAsked, "rollout") + " run: these are the newest; sluice list --open --limit 1000 lists more"
	}
	views := make([]view, 0, len(got.rows)+len(o.known))
	seen := map[string]bool{}
	for _, l := range got.rows {
		views, seen[l.RunID] = append(views, l.view), true
	}
	for id, v := range o.known {
		if v.running() && !seen[id] { // it has ended, or goes on as another run
			views = append(views, v)
		}
	}
	for id, v := range o.remote.lookAll(ctx, views) {
		before := o.known[id]
		delete(o.known, id)
		o.known[v.RunID] = v.remember(before)
	}
	o.forget(o.con.now())
	for _, v := range o.known {
		if v.running() {
			open++
		}
	}
	return open, trouble, nil
}

// forget drops what ended a while ago, but for its exit code: on a busy deployment something always
// runs.
func (o *overview) forget(now time.Time) {
	for id, v := range o.known {
		if v.running() {
			continue
		}
		if since, seen := o.ended[id]; !seen {
			o.ended[id] = now
		} else if now.Sub(since) > keepEnded {
			o.codes[v.exitCode()] = true
			delete(o.ended, id)
			delete(o.known, id)
			delete(o.shown, id)
		}
	}
}

// lookAll looks at rollouts, some at a time. It answers each under the run that it was asked for.
func (r *remote) lookAll(ctx context.Context, views []view) map[string]view {
	var mu sync.Mutex
	byRun := make(map[string]view, len(views))
	atOnce(len(views), func(i int) {
		v := views[i]
		next, err := r.look(ctx, v.Unit, v.RunID)
		if err != nil {
			next = v
			next.Trouble, next.Remembered = rootMessage(err), v.State != nil
		}
		mu.Lock()
		defer mu.Unlock()
		byRun[v.RunID] = next
	})
	return byRun
}

// glances are all rollouts that were seen, the worst first.
func (o *overview) glances(now time.Time) []glance {
	out := make([]glance, 0, len(o.known))
	for _, v := range o.known {
		out = append(out, glanceAt(v, now))
	}
	slices.SortFunc(out, func(a, b glance) int { return strings.Compare(a.Unit, b.Unit) })
	byRank(out)
	return out
}

// show draws the picture, or tells what has changed.
func (o *overview) show(trouble string) error {
	now := o.con.now()
	all := o.glances(now)
	if o.screen != nil {
		return o.screen.draw(o.con.shown(overviewLines(all, trouble, now, o.con.width(), o.con.paint)))
	}
	var lines []string
	for _, g := range all {
		if before, ok := o.shown[g.RunID]; !ok || !before.same(g) {
			lines = append(lines, clock(now, now)+" "+g.line(now))
		}
		o.shown[g.RunID] = g
	}
	if !o.con.json {
		return o.con.lines(lines)
	}
	if len(lines) == 0 {
		return nil
	}
	for i := range all {
		all[i].Ends = all[i].ends(now)
	}
	return o.con.encoder().Encode(map[string]any{"at": now, "rollouts": all})
}

// stop draws for the last time, and answers the error.
func (o *overview) stop(err error) error {
	o.con.compact = true // in JSON, after a stream of lines
	if o.screen != nil && len(o.known) > 0 {
		now := o.con.now()
		if drawErr := o.screen.finish(o.con.shown(overviewLines(o.glances(now), "", now, o.con.width(), o.con.paint))); drawErr != nil {
			return drawErr
		}
	}
	return err
}

// code is that of the rollout that ended worst.
func (o *overview) code() int {
	worst := []int{exitIncomplete, exitInternal, exitRolledBack, exitAborted, exitRefused}
	for _, c := range worst {
		if o.codes[c] {
			return c
		}
		for _, v := range o.known {
			if v.exitCode() == c {
				return c
			}
		}
	}
	return exitOK
}

// same says whether two glances tell a person the same, numbers aside.
func (g glance) same(as glance) bool {
	return g.State == as.State && g.Stage == as.Stage && g.Why == as.Why &&
		g.finding == as.finding && g.Old == as.Old && g.Release == as.Release
}

// line words a glance in one line.
func (g glance) line(now time.Time) string {
	parts := []string{g.Unit + " " + g.release + " " + g.State}
	if g.Stage != "" {
		parts[0] += " at " + g.Stage
	}
	if !g.Since.IsZero() && g.rank != rankEnded {
		parts[0] += " for " + span(now.Sub(g.Since))
	}
	parts[0] += ": " + g.Why
	if g.Worst != "" {
		parts = append(parts, g.Worst+" ("+g.ageOf(now)+")")
	}
	return terminal.Safe(strings.Join(append(parts, g.ends(now), g.Next), "; "))
}

// ageOf words how old the worst check's numbers are.
func (g glance) ageOf(now time.Time) string {
	age := span(now.Sub(g.At)) + " old"
	if g.Old {
		return age + ", no newer look"
	}
	return age
}

// overviewLines draw all rollouts: a row for each, and what belongs to it below.
func overviewLines(all []glance, trouble string, now time.Time, width int, p paint) []string {
	table := [][]string{p.headings("UNIT", "RELEASE", "STATE", "SINCE", "STAGE")}
	for _, g := range all {
		state := p.cyan(terminal.Safe(g.State))
		switch {
		case g.rank <= rankBack:
			state = p.red(terminal.Safe(g.State))
		case g.rank < rankWell:
			state = p.yellow(terminal.Safe(g.State))
		case g.rank == rankEnded:
			state = p.phase(g.State)
		}
		table = append(table, []string{
			p.bold(terminal.Safe(g.Unit)), terminal.Safe(g.release), state, sinceWord(g.Since, now), terminal.Safe(orDash(g.Stage)),
		})
	}
	rows := columns(table)
	lines := rows[:1:1]
	if trouble != "" {
		lines = append([]string{p.yellow(terminal.Safe(trouble))}, lines...)
	}
	for i, g := range all {
		lines = append(lines, rows[i+1])
		for _, l := range g.details(now, width, p) {
			lines = append(lines, folded([]string{"  " + l}, width, 2)...)
		}
	}
	return append(lines, p.faint("Ctrl-C stops the looking; sluice watch UNIT shows one with all its checks"))
}

// details are the lines below a rollout's row. One that is well has no reason to be looked at.
func (g glance) details(now time.Time, width int, p paint) []string {
	if g.rank == rankEnded {
		return []string{terminal.Safe(g.Why)}
	}
	var lines []string
	if g.rank < rankWell && g.Why != "" {
		lines = append(lines, terminal.Safe(g.Why))
	}
	if g.Worst != "" {
		age := p.faint("(" + g.ageOf(now) + ")")
		if g.Old {
			age = p.yellow("(" + g.ageOf(now) + ")")
		}
		lines = append(lines, age+" "+terminal.Safe(g.Worst))
	}
	ends, next := terminal.Safe(g.ends(now)), p.bold("▸ "+terminal.Safe(g.Next))
	if width > 0 && ansi.StringWidth(ends+next) > width-3 {
		return append(lines, ends, next)
	}
	return append(lines, ends+" "+next)
}
