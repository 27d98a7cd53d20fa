package main

import (
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// blocks are the heights of a sparkline, the lowest for nothing bad.
var blocks = [...]rune{'▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// leastPoints is how many points tell more than the sentence beside them.
const leastPoints = 4

// sparklines draw how both arms of a check did over the bake, up to the decision, on one scale:
// none where there is nothing to draw, or no room. The decision came so long after the change, 0
// where that is not known. Lines are at most width cells; 0 is no limit.
func sparklines(r health.Result, after time.Duration, width int, p paint) []string {
	if len(r.Trace) < 2 {
		return nil
	}
	labels := column("exposed", otherArm(r))
	sum := joined(r.Trace, 1)[0]
	say := humanize.Percent
	if r.Mean {
		say = humanize.Plain
	}
	overall := column(whole(sum.Exposed, say), whole(sum.Control, say))
	trace := r.Trace
	for len(trace) > 0 {
		exposed := shares(trace, func(p sequential.Pair) sequential.Counts { return p.Exposed })
		control := shares(trace, func(p sequential.Pair) sequential.Counts { return p.Control })
		top := max(highest(exposed), highest(control))
		decided := "│ " + decision(r, after)
		scale := "│ █ is " + say(top)
		tail := 1 + ansi.StringWidth(overall[0]) + 1 + max(ansi.StringWidth(decided), ansi.StringWidth(scale))
		cells := width - ansi.StringWidth(labels[0]) - 1 - tail
		switch {
		case width <= 0 || len(trace) <= cells:
			return []string{
				labels[0] + " " + spark(exposed, top) + " " + overall[0] + " " + p.result(r, decided),
				p.faint(labels[1] + " " + spark(control, top) + " " + overall[1] + " " + scale),
			}
		case cells < leastPoints:
			return nil
		}
		trace = joined(trace, cells)
	}
	return nil
}

// decision words what was decided, and when.
func decision(r health.Result, after time.Duration) string {
	word := terminal.Safe(r.Word())
	if after > 0 {
		word += " after " + span(after)
	}
	if r.Advisory {
		word += " (advisory)"
	}
	return word
}

// otherArm names what the exposed one is drawn beside.
func otherArm(r health.Result) string {
	if r.Against == health.AgainstObjective {
		return "allowed"
	}
	return terminal.Safe(cmp.Or(r.Against, spec.AgainstControl))
}

// column makes two cells equally wide.
func column(a, b string) [2]string {
	width := max(ansi.StringWidth(a), ansi.StringWidth(b))
	pad := func(s string) string { return s + strings.Repeat(" ", width-ansi.StringWidth(s)) }
	return [2]string{pad(a), pad(b)}
}

// joined is a trace in at most so many points, each of as many as any other but the last.
func joined(t judge.Trace, most int) judge.Trace {
	each := (len(t) + most - 1) / most
	var out judge.Trace
	for i, p := range t {
		if i%each == 0 {
			out = append(out, p)
			continue
		}
		last := &out[len(out)-1]
		last.Pair, last.Looks = last.Plus(p.Pair), last.Looks+p.Looks
	}
	return out
}

// shares are an arm's shares, or means, over time; NaN where nothing happened.
func shares(t judge.Trace, of func(sequential.Pair) sequential.Counts) []float64 {
	out := make([]float64, 0, len(t))
	for _, point := range t {
		share := math.NaN()
		if c := of(point.Pair); c.Total > 0 {
			share = c.Bad / c.Total
		}
		out = append(out, share)
	}
	return out
}

// highest is the largest share; 0 where there is none.
func highest(shares []float64) float64 {
	top := 0.0
	for _, v := range shares {
		if v > top {
			top = v
		}
	}
	return top
}

// whole words an arm's share, or mean, over all of a bake.
func whole(c sequential.Counts, say func(float64) string) string {
	if c.Total <= 0 {
		return "–"
	}
	return say(c.Bad / c.Total)
}

// spark draws shares on a scale up to top. Where nothing happened is a gap.
func spark(shares []float64, top float64) string {
	s := &strings.Builder{}
	for _, v := range shares {
		switch {
		case math.IsNaN(v):
			s.WriteRune(' ')
		case top <= 0:
			s.WriteRune(blocks[0])
		default:
			s.WriteRune(blocks[max(0, min(len(blocks)-1, int(v/top*float64(len(blocks)-1)+0.5)))])
		}
	}
	return s.String()
}

// sinceApplied is how long after its change a stage was looked at; 0 where that is not known.
func sinceApplied(st rollout.StageState, at time.Time) time.Duration {
	if st.AppliedAt.IsZero() || at.Before(st.AppliedAt) {
		return 0
	}
	return at.Sub(st.AppliedAt)
}

// room is what an indent leaves of a width; 0 stays no limit.
func room(width int, indent string) int {
	if width <= 0 {
		return 0
	}
	return max(1, width-ansi.StringWidth(indent))
}

func indented(indent string, lines []string) []string {
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return lines
}
