package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/backtest"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/terminal"
)

// text is the answer in words.
func (t tested) text(p paint) []string {
	lines := []string{fmt.Sprintf("%s from %s to %s, %s of healthy releases may be taken back",
		p.bold(terminal.Safe(t.Unit)), t.From.UTC().Format(time.RFC3339), t.To.UTC().Format(time.RFC3339), humanize.PercentTo(t.Rate, 3)), ""}
	rows := [][]string{p.headings("STAGE", "CHECK", "MOMENTS", "TAKEN BACK", "95% BETWEEN", "MAY", "NO DATA", "UNEXERCISED")}
	for _, c := range t.Checks {
		rows = append(rows, []string{
			terminal.Safe(c.Stage), terminal.Safe(name(c)), fmt.Sprint(c.Bakes), fmt.Sprint(c.Failed),
			humanize.Percent(c.Low) + " – " + humanize.Percent(c.High), humanize.Percent(c.Rate),
			share(c.Unknown-c.Unexercised, c.Bakes), share(c.Unexercised, c.Bakes),
		})
	}
	lines = append(lines, columns(rows, "  ")...)
	lines = append(lines, "")
	for _, c := range t.Checks {
		lines = append(lines, c.notes(p)...)
	}
	return append(lines, t.verdict(p)...)
}

// notes say when a check failed, what it could not tell, and why.
func (c testedCheck) notes(p paint) []string {
	var lines []string
	of := fmt.Sprintf("%s of %s", terminal.Safe(name(c)), terminal.Safe(c.Stage))
	for _, w := range c.Worst {
		if w.Verdict == string(health.Fail) {
			lines = append(lines, p.red("taken back")+fmt.Sprintf(" at %s by %s, after %s s: %s",
				w.At.Format(time.RFC3339), of, humanize.Plain(w.Seconds), terminal.Safe(w.Evidence)))
		} else {
			lines = append(lines, fmt.Sprintf("the nearest to it by %s: at %s, %s", of, w.At.Format(time.RFC3339), terminal.Safe(w.Evidence)))
		}
	}
	if more := c.Failed - len(c.Worst); c.Failed > 0 && more > 0 {
		lines = append(lines, fmt.Sprintf("and %s more by %s", plural(more, "moment"), of))
	}
	if c.Why != "" {
		lines = append(lines, p.yellow("unknown")+fmt.Sprintf(" for %s: %s", of, terminal.Safe(c.Why)))
	}
	return lines
}

// verdict is how many healthy bakes would have been taken back, and how sure that is.
func (t tested) verdict(p paint) []string {
	moments, judged, failed, apart := 0, 0, 0, 0.0
	for _, c := range t.Checks {
		moments, judged, failed, apart = moments+c.Bakes, judged+c.Bakes-c.Unknown, failed+c.Failed, apart+c.Apart
	}
	if moments == 0 && !slices.ContainsFunc(t.Checks, func(c testedCheck) bool { return c.Why == "" }) {
		return []string{p.yellow("nothing could be tested: the Prometheus knows nothing of that time")}
	}
	if moments == 0 {
		return []string{p.yellow("no moment could be tested: the span needs a bake after it, and as long a past before it, at least 10 minutes")}
	}
	if judged == 0 {
		return []string{p.yellow(fmt.Sprintf("none of %s could be judged, so this tells nothing of the rate", plural(moments, "bake")))}
	}
	said := fmt.Sprintf("at %s a rollout, %d of %s would have been taken back", humanize.PercentTo(t.Rate, 3), failed, plural(judged, "bake"))
	if failed == 0 {
		said = p.green(said)
	} else {
		said = p.red(said)
	}
	lines := []string{said}
	if apart < 0.99*float64(judged) {
		lines = append(lines, fmt.Sprintf("bakes overlap: they tell as much as %s beside each other would", humanize.Integer(math.Floor(apart))))
	}
	for _, c := range t.Checks {
		if need := backtest.Needed(c.Rate); need > c.Apart && failed == 0 && c.Bakes > c.Unknown {
			return append(lines, fmt.Sprintf("too few to tell %s from none: that takes %s of a check (--rate tests a larger one)",
				humanize.Percent(c.Rate), humanize.Integer(need)))
		}
	}
	return lines
}

// name is a check with its group.
func name(c testedCheck) string {
	if c.Group == "" {
		return c.Check
	}
	return c.Check + " " + c.Group
}
