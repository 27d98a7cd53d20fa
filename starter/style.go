package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// paint colours text; the zero value leaves it as it is.
type paint bool

func (p paint) style(s ansi.Style, text string) string {
	if !p || text == "" {
		return text
	}
	return s.Styled(text)
}

func (p paint) bold(s string) string  { return p.style(ansi.Style{}.Bold(), s) }
func (p paint) faint(s string) string { return p.style(ansi.Style{}.Faint(), s) }
func (p paint) green(s string) string { return p.style(ansi.Style{}.ForegroundColor(ansi.Green), s) }

func (p paint) red(s string) string { return p.style(ansi.Style{}.Bold().ForegroundColor(ansi.Red), s) }

func (p paint) yellow(s string) string { return p.style(ansi.Style{}.ForegroundColor(ansi.Yellow), s) }

func (p paint) cyan(s string) string { return p.style(ansi.Style{}.ForegroundColor(ansi.Cyan), s) }

// verdict colours a verdict; the word itself carries the meaning.
func (p paint) verdict(v health.Verdict, text string) string {
	switch v {
	case health.Pass:
		return p.green(text)
	case health.Fail:
		return p.red(text)
	case health.NoData, health.Stale, health.Unexercised:
	}
	return p.yellow(text)
}

// result colours a result: by its standing in the middle of a bake, by its verdict at a gate.
func (p paint) result(r health.Result, text string) string {
	switch r.Standing {
	case health.OKSoFar:
		return p.cyan(text)
	case health.Suspicious:
		return p.yellow(text)
	case health.NotYet:
		return p.faint(text)
	}
	return p.verdict(r.Verdict, text)
}

// phase colours a phase, made safe: it is a word only as long as Sluice has written it.
func (p paint) phase(phase string) string {
	phase = terminal.Safe(phase)
	switch rollout.Phase(phase) {
	case rollout.PhasePromoted:
		return p.green(phase)
	case rollout.PhaseRollback, rollout.PhaseVerify, rollout.PhaseRolledBack, rollout.PhaseIncomplete, rollout.PhaseLocked:
		return p.red(phase)
	case rollout.PhaseHold, rollout.PhaseApproval, rollout.PhaseAborted, rollout.PhaseRefused:
		return p.yellow(phase)
	}
	return p.cyan(phase)
}

// glyph marks a result.
func glyph(r health.Result) string {
	switch r.Standing {
	case health.OKSoFar, health.NotYet:
		return "·"
	case health.Suspicious:
		return "!"
	}
	switch r.Verdict {
	case health.Pass:
		return "✓"
	case health.Fail:
		return "✗"
	case health.NoData, health.Stale, health.Unexercised:
	}
	return "?"
}

// span words a duration to the second.
func span(d time.Duration) string {
	if d > 0 && d < time.Second {
		return "<1s"
	}
	return spec.Duration(max(0, d.Round(time.Second))).String()
}

// clock words a moment of a day in the time zone of now.
func clock(at, now time.Time) string { return at.In(now.Location()).Format("15:04:05") }

// stamp words a moment unambiguously, in the time zone of now.
func stamp(at, now time.Time) string {
	return at.In(now.Location()).Format("2006-01-02 15:04:05 MST")
}

// share words part of whole in percent; of nothing it is 0%.
func share(part, whole int) string {
	if whole <= 0 {
		return "0%"
	}
	p := 100 * float64(part) / float64(whole)
	if p > 0 && p < 1 {
		return fmt.Sprintf("%.2g%%", p)
	}
	if part < whole {
		p = min(p, 99) // only all of them are 100%
	}
	return fmt.Sprintf("%.0f%%", p)
}

// bar is a progress bar of a width; done is between 0 and 1.
func bar(done float64, width int) string {
	n := int(max(0, min(1, done))*float64(width) + 0.5)
	return strings.Repeat("█", n) + strings.Repeat("░", width-n)
}

// plural words a count.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// columns aligns rows, two spaces apart; a cell may hold colours. The last column is not padded.
func columns(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	out := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
			}
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// headings are the first row of a table.
func (p paint) headings(words ...string) []string {
	for i, w := range words {
		words[i] = p.bold(w)
	}
	return words
}
