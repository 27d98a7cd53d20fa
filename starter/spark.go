package main

import (
	"strings"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/numeral"
	"github.com/sluicehq/sluice/internal/sequential"
)

// blocks are the heights of a sparkline, the lowest for nothing.
var blocks = [...]rune{'▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// sparklines draw how both arms of a check did over the bake, up to the decision, on
// one scale: none where there is nothing to draw.
func sparklines(r health.Result, p paint) []string {
	if len(r.Trace) < 2 {
		return nil
	}
	exposed, top := shares(r.Trace, func(p sequential.Pair) sequential.Counts { return p.Exposed })
	control, other := shares(r.Trace, func(p sequential.Pair) sequential.Counts { return p.Control })
	top = max(top, other)
	end := "│ " + string(r.Verdict)
	return []string{
		"exposed " + spark(exposed, top) + p.verdict(r.Verdict, end) + ", " + peak(exposed),
		p.faint("control " + spark(control, top) + "│ " + peak(control)),
	}
}

// peak words the highest and the newest share.
func peak(shares []float64) string {
	high := 0.0
	for _, v := range shares {
		high = max(high, v)
	}
	return numeral.Percent(shares[len(shares)-1]) + " at the end, at most " + numeral.Percent(high)
}

// shares are an arm's bad shares over time, and the largest.
func shares(t judge.Trace, of func(sequential.Pair) sequential.Counts) (out []float64, top float64) {
	for _, point := range t {
		share := 0.0
		if c := of(point.Pair); c.Total > 0 {
			share = c.Bad / c.Total
		}
		out = append(out, share)
		top = max(top, share)
	}
	return out, top
}

// spark draws shares on a scale up to top.
func spark(shares []float64, top float64) string {
	s := &strings.Builder{}
	for _, v := range shares {
		height := 0
		if top > 0 {
			height = min(len(blocks)-1, int(v/top*float64(len(blocks)-1)+0.5))
		}
		s.WriteRune(blocks[height])
	}
	return s.String()
}
