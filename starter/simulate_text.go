package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// workers is how many rehearsals run at once.
func workers() int { return runtime.GOMAXPROCS(0) }

// heading says what is rehearsed.
func (a asked) heading(p paint) []string {
	r := a.rehearsal
	l := r.Model.Usual()
	lines := []string{
		p.bold(terminal.Safe(r.Spec.Unit+" "+r.Spec.Release)) +
			fmt.Sprintf(" on %s, rehearsed on a model: %s requests/s each, %s bad (%s), seed %d",
				plural(len(r.Fleet.Targets), "target"), humanize.PlainTo(l.Rate, 3), humanize.Percent(l.Errors), a.from, r.Model.Seed),
	}
	if len(a.faults) == 0 {
		lines = append(lines, "faults: none")
	}
	for _, f := range a.faults {
		lines = append(lines, "fault: "+terminal.Safe(f))
	}
	names := simulate.Assumed(r.Spec.Health)
	if r.Spec.Drill != nil {
		names = append(names, "the drill")
	}
	if names != nil {
		lines = append(lines, p.yellow("note")+": not rehearsed, and taken to pass: "+terminal.Safe(strings.Join(names, ", ")))
	}
	return append(lines, "")
}

// text tells how one rehearsal went.
func (s simulated) text(p paint) []string {
	var lines []string
	for _, e := range told(s.Timeline) {
		lines = append(lines, p.faint(fmt.Sprintf("%9s", elapsed(e.At.Sub(s.Began))))+"  "+terminal.Safe(e.Text))
	}
	end := p.phase(s.Result) + " after " + s.Took.String()
	if s.Limited {
		end = "stopped by --limit after " + s.Took.String() + ", still " + p.phase(s.Result)
	}
	lines = append(lines, "", end+": "+terminal.Safe(s.Why))
	for _, text := range s.NeverBegan {
		lines = append(lines, p.yellow("note")+fmt.Sprintf(": the fault %q never began before the end", terminal.Safe(text)))
	}
	if s.NotBack > 0 {
		lines = append(lines, p.red("not back")+": "+plural(s.NotBack, "target")+", which the rollout could not bring back")
	}
	if !s.Harmed {
		return append(lines, "the release harmed no request")
	}
	rows := [][]string{
		{"detected", orNever(s.Detected, "not"), "from the first harm to the first order to go back"},
		{"undone", orNever(s.Undone, "not"), "from the first harm to its end"},
		{"exposed", humanize.Percent(s.Exposed), "of the fleet ran the release while it did harm, at most"},
		{"bad requests", humanize.Integer(s.Bad), "lost, failed or slow beyond the usual, of " + humanize.Integer(s.Asked)},
	}
	return append(lines, columns(rows)...)
}

// told are the events that a person is shown: no verdict that is good or that a gate tells, too,
// and no reason twice.
func told(all []event) (out []event) {
	gates, why := "", ""
	for _, e := range all {
		if e.Kind == "gate" {
			gates += e.Text + "\n"
		}
	}
	for _, e := range all {
		good := e.Verdict == health.Pass || e.Standing == health.OKSoFar || e.Standing == health.NotYet
		switch {
		case e.Kind == "verdict" && (good || strings.Contains(gates, strings.TrimPrefix(e.Text, e.Stage+": "))):
			continue
		case e.Kind == "gate":
			_, why, _ = strings.Cut(e.Text, ", ")
		case e.Kind == "phase" && why != "":
			e.Text = strings.Replace(e.Text, ": "+why, "", 1)
		}
		out = append(out, e)
	}
	return out
}

// elapsed is a time since the beginning, as a clock shows it.
func elapsed(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

func orNever(d *time.Duration, never string) string {
	if d == nil {
		return never
	}
	return spec.Duration(d.Round(time.Second)).String()
}
