package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// shownTargets is how many targets of a stage the table names.
const shownTargets = 3

// planText is the table of a plan, and what it means.
func planText(pl planned, all bool, p paint) []string {
	lines := []string{
		fmt.Sprintf("%s on %s in %s, at most %s", p.bold(terminal.Safe(pl.Unit+" "+releaseWords(pl.Release, pl.Version))),
			plural(pl.Targets, "target"), plural(len(pl.Stages), "stage"), pl.Longest),
		"",
	}
	rows := [][]string{p.headings("STAGE", "NEW", "AT RISK", "BAKE", "AT MOST", "DONE BY", "TARGETS")}
	for _, s := range pl.Stages {
		rows = append(rows, []string{
			terminal.Safe(s.Name), fmt.Sprintf("+%d", s.New),
			fmt.Sprintf("%d of %d (%s)", s.AtRisk, pl.Targets, share(s.AtRisk, pl.Targets)),
			s.Bake.String(), s.Longest.String(), s.By.String(), firstTargets(s.Targets),
		})
	}
	lines = append(lines, columns(rows)...)
	lines = append(lines, "")
	for _, s := range pl.Stages {
		lines = append(lines, stageNotes(s)...)
	}
	lines = append(lines, partsNote(pl.Parts)...)
	lines = append(lines, dormantNotes(pl)...)
	lines = append(lines, riskNote(pl)...)
	lines = append(lines, deathsNote(pl.Deaths)...)
	lines = append(lines, timeNote(pl))
	lines = append(lines, blindNote(pl.Blind)...)
	if all {
		for _, s := range pl.Stages {
			lines = append(lines, "", p.bold(terminal.Safe(s.Name)))
			for _, id := range s.Targets {
				lines = append(lines, "  "+terminal.Safe(id))
			}
		}
	}
	return lines
}

// partsNote names the parts in their order.
func partsNote(parts []plannedPart) []string {
	if len(parts) == 0 {
		return nil
	}
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = terminal.Safe(p.Unit + " " + bundle.Short(p.Release) + " (" + p.Driver + ")")
	}
	return []string{"each target changes, in this order, " + strings.Join(words, ", then ") + "; and goes back in reverse"}
}

func firstTargets(ids []string) string {
	text := terminal.Safe(strings.Join(ids[:min(len(ids), shownTargets)], ", "))
	if len(ids) > shownTargets {
		text += fmt.Sprintf(", … (%d more)", len(ids)-shownTargets)
	}
	return text
}

// stageNotes say what the table has no column for.
func stageNotes(s plannedStage) []string {
	var notes []string
	if s.Approval != "" {
		note := "waits for approval before it is applied"
		if s.ApproveWithin > 0 {
			note += ", at most " + s.ApproveWithin.String()
		}
		notes = append(notes, note)
	}
	if s.Undecided == spec.UndecidedWait {
		notes = append(notes, "waits for a person when there is no verdict, however long that takes")
	}
	if len(s.Where) > 0 {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(s.Where)) {
			parts = append(parts, k+"="+s.Where[k])
		}
		notes = append(notes, "only targets with "+strings.Join(parts, ", "))
	}
	if s.SpreadOver != "" {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(s.Spread)) {
			parts = append(parts, fmt.Sprintf("%s %d", orDash(k), s.Spread[k]))
		}
		notes = append(notes, "spread over "+s.SpreadOver+": "+strings.Join(parts, ", "))
	}
	out := make([]string, 0, len(notes))
	for _, n := range notes {
		out = append(out, terminal.Safe(s.Name+": "+n))
	}
	return out
}

// blindNote is what no check of the spec can see.
func blindNote(blind []string) []string {
	if len(blind) == 0 {
		return nil
	}
	out := []string{"", "No check of this spec can see:"}
	for _, line := range blind {
		out = append(out, "  - "+terminal.Safe(line))
	}
	return out
}

// riskNote words what the first stage buys: what a bad release reaches before anything has judged
// it.
func riskNote(pl planned) []string {
	if len(pl.Stages) == 0 {
		return nil
	}
	first := pl.Stages[0]
	return []string{
		fmt.Sprintf("A release that shows its harm in %s has reached %d of %s (%s), and is rolled back from there.",
			terminal.Safe(first.Name), first.AtRisk, plural(pl.Targets, "target"), share(first.AtRisk, pl.Targets)),
	}
}

// manyDeaths is from which chance on a plan speaks of targets that die by themselves.
const manyDeaths = 0.01

// deathsNote says how often a good release goes back for targets that go silent by themselves.
func deathsNote(chance float64) []string {
	if chance < manyDeaths {
		return nil
	}
	return []string{fmt.Sprintf("If each target goes silent by itself once a year, %s of good releases are rolled back for it: "+
		"tolerate: {unreachable: 1} in a stage, or a share such as 1%%, leaves silent targets out, by name.", humanize.Percent(chance))}
}

// timeNote says what the times of the table count.
func timeNote(pl planned) string {
	note := "DONE BY counts from the start; the look before the first stage, applying, pauses and approvals come on top."
	if len(pl.Stages) > 0 && pl.Stages[0].Measure > 0 {
		note = fmt.Sprintf("AT MOST has %s of measuring before each stage. ", pl.Stages[0].Measure) + note
	}
	return note
}
