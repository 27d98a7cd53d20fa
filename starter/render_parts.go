package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// checkLines are the checks of a report, one per line.
func checkLines(r health.Report, p paint) []string {
	rows := make([][]string, 0, len(r.Results))
	for _, res := range r.Results {
		rows = append(rows, []string{
			checkName(res, p),
			p.result(res, terminal.Safe(res.Word())),
			numbers(res),
			terminal.Safe(sentence(res)),
		})
	}
	return columns(rows)
}

// checkName is a check's name with the mark of its result. One that never decides says so.
func checkName(r health.Result, p paint) string {
	name := p.result(r, glyph(r)) + " " + terminal.Safe(r.Check)
	if r.Advisory {
		name += p.faint(" (advisory)")
	}
	return name
}

// sentence is the evidence without the check's name, which stands beside it.
func sentence(r health.Result) string {
	return strings.TrimPrefix(r.Sentence, r.Check+": ")
}

// numbers are what was judged and its limit. What rests on events and is at most 1 is a ratio.
func numbers(r health.Result) string {
	if len(r.Trace) > 0 && r.Value != nil {
		return timesUsual(r)
	}
	atMost1 := func(v *float64) bool { return v == nil || *v <= 1 }
	ratio := r.Samples > 0 && atMost1(r.Value) && atMost1(r.Limit)
	form := func(v float64) string {
		if ratio {
			return fmt.Sprintf("%.3g%%", 100*v)
		}
		return fmt.Sprintf("%.4g", v)
	}
	switch {
	case r.Value == nil:
		return "–"
	case r.Limit == nil:
		return form(*r.Value)
	}
	if r.Check == spec.CheckTraffic {
		return form(*r.Value) + " (at least " + form(*r.Limit) + ")"
	}
	return form(*r.Value) + " (limit " + form(*r.Limit) + ")"
}

// timesUsual are how many times the usual a comparison has found, as its sentence has it: an
// estimate, or what is left of it where chance may have done the rest.
func timesUsual(r health.Result) string {
	form := func(v float64) string { return humanize.PlainTo(v, 2) + "×" }
	text := "about " + form(*r.Value)
	if e := r.Estimate; e != nil && *e != *r.Value {
		if text = "at least " + form(*r.Value); r.Mean {
			text = "about " + form(*e) + ", may be " + form(*r.Value)
		}
	}
	if r.Limit != nil {
		text += " (limit " + humanize.PlainTo(*r.Limit, 3) + "×)"
	}
	return text
}

// outcomeLines say how it ended, naming at most some of the targets that are not back.
func outcomeLines(o rollout.Outcome, most int, p paint) []string {
	word := p.phase(string(o.Result))
	lines := []string{word + ": " + terminal.Safe(o.Why)}
	if because, said := strings.CutPrefix(o.Why, string(o.Result)+" "); said { // aborted by …
		lines[0] = word + " " + terminal.Safe(because)
	}
	if o.Result != rollout.PhasePromoted && o.Touched > 0 {
		lines = append(lines, touchedLine(o))
	}
	if w := terminal.Safe(o.RecoveredWord()); w != "" {
		lines = append(lines, w)
	}
	lines = append(lines, troubleLines("not reverted", o.NotReverted, o.NotBack, most, p.red)...)
	lines = append(lines, troubleLines(o.TroubledWord(), o.Troubled, len(o.Troubled), most, p.yellow)...)
	if g := o.GaveUp; g != nil {
		lines = append(lines, p.yellow("given up by "+whoAndWhy(*g)))
	}
	return lines
}

// touchedLine says how many targets a rollout has changed, and where they are again.
func touchedLine(o rollout.Outcome) string {
	word := cmp.Or(o.BackWord(), fmt.Sprintf("put back and seen back %d", o.Reverted))
	if o.Result == rollout.PhaseWithdrawn && o.Reverted == 0 && o.NotBack == 0 {
		word = "left to the way back of the older rollout"
	}
	return terminal.Safe("touched " + plural(o.Touched, "target") + ", " + word)
}

// troubleLines name at most some of n targets; a list may be shorter than n, since a state carries
// as many as fit.
func troubleLines(what string, ts []rollout.TargetTrouble, n, most int, paint func(string) string) []string {
	shown, where := ts[:min(len(ts), most)], "see the results of the activities in the workflow's history"
	if len(shown) < len(ts) {
		where = "sluice explain names those"
	}
	var out []string
	for _, t := range shown {
		out = append(out, paint("  "+what+": "+terminal.Safe(t.ID))+" "+terminal.Safe(t.Reason))
	}
	if more := max(n, len(ts)) - len(shown); more > 0 {
		out = append(out, paint(fmt.Sprintf("  and %d more %s: %s", more, what, where)))
	}
	return out
}
