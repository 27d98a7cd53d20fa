package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

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
		p.bold(terminal.Safe(r.Spec.Unit+" "+r.Spec.Release)) + fmt.Sprintf(" on %s, rehearsed on a model: %s requests/s each, %s bad (%s), seed %d",
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
	for _, m := range told(s.Timeline) {
		lines = append(lines, p.faint(fmt.Sprintf("%9s", elapsed(m.After.Std())))+"  "+terminal.Safe(m.Text))
	}
	end := p.phase(s.Result) + " after " + s.Took.String()
	if s.Limited {
		end = "stopped by --limit after " + s.Took.String() + ", still " + p.phase(s.Result)
	}
	lines = append(lines, "", end+": "+terminal.Safe(s.Why))
	for _, text := range s.NeverBegan {
		lines = append(lines, p.yellow("note")+fmt.Sprintf(": the fault %q never began before the end", terminal.Safe(text)))
	}
	if !s.Harmed {
		lines = append(lines, "the release harmed no request")
		if s.NotBack > 0 {
			lines = append(lines, p.red("not back")+": "+plural(s.NotBack, "target")+", which the rollout could not bring back")
		}
		return lines
	}
	rows := [][]string{
		{"detected", orNever(s.Detected, "not"), "from the first harm to the first order to go back"},
		{"undone", orNever(s.Undone, "not"), "from the first harm to its end"},
		{"exposed", humanize.Percent(s.Exposed), "of the fleet ran the release while it did harm, at most"},
		{"bad requests", humanize.Integer(s.Bad), "lost, failed or slow beyond the usual, of " + humanize.Integer(s.Asked)},
	}
	return append(lines, columns(rows)...)
}

// told are the moments that a person is shown: no verdict that a gate tells, too, and no reason twice.
func told(all []moment) (out []moment) {
	gates, why := "", ""
	for _, m := range all {
		if m.Kind == "gate" {
			gates += m.Text + "\n"
		}
	}
	for _, m := range all {
		switch {
		case m.Kind == "verdict" && (m.good || strings.Contains(gates, strings.TrimPrefix(m.Text, m.Stage+": "))):
			continue
		case m.Kind == "gate":
			_, why, _ = strings.Cut(m.Text, ", ")
		case m.Kind == "phase" && why != "":
			m.Text = strings.Replace(m.Text, ": "+why, "", 1)
		}
		out = append(out, m)
	}
	return out
}

// elapsed is a time since the beginning, as a clock shows it.
func elapsed(d time.Duration) string {
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

func orNever(d *time.Duration, never string) string {
	if d == nil {
		return never
	}
	return spec.Duration(d.Round(time.Second)).String()
}

// Numbers of JSON have as many digits as somebody reads: shares six, requests one behind the point.
const shareDigits, requestDigits = 1e6, 10

func to(x, digits float64) float64 { return math.Round(x*digits) / digits }

// rounded is a score for JSON.
func rounded(s simulate.Score) simulate.Score {
	s.Exposed, s.Bad, s.Asked = to(s.Exposed, shareDigits), to(s.Bad, requestDigits), to(s.Asked, requestDigits)
	for _, d := range []**time.Duration{&s.Detected, &s.Undone} {
		if *d != nil {
			short := (*d).Round(time.Millisecond)
			*d = &short
		}
	}
	return s
}

// roundedCurve is a curve for JSON.
func roundedCurve(curve []simulate.Point) []simulate.Point {
	out := slices.Clone(curve)
	for i := range out {
		out[i].Exposed, out[i].Harmed, out[i].Bad = to(out[i].Exposed, shareDigits), to(out[i].Harmed, shareDigits), to(out[i].Bad, requestDigits)
	}
	return out
}
