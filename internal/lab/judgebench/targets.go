package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/sequential"
)

// target is one thing that the judge is to do.
type target struct {
	what, measured string
	missed         []string // the worlds in which it does not
}

// targets says which hold, and where one does not.
func targets(ctx context.Context, b *bench) *table.Table {
	all := []target{
		rateHolds(ctx, usual, b.usually),
		rateHolds(ctx, strict, b.strictly),
		faster(ctx, "at least 0.65 of the oracle's speed at 5%, from 2× on", harmful()[2:], 0.65, nameOracle, b.usually),
		faster(ctx, "at least 0.75 of the oracle's speed at 0.1%, from 2× on, with 6 h of past", longKnown(), 0.75, nameOracle, b.strictly),
		faster(ctx, "late faults at least twice as fast as if only faults from the start were looked for", late(), 2, nameCumulative, b.lately),
		b.earlyEnd(ctx),
	}
	t := &table.Table{Title: "Targets", Head: []string{"target", "measured", "holds"}}
	held := 0
	for _, x := range all {
		answer := "yes"
		if len(x.missed) == 0 {
			held++
		} else {
			answer = "**no**: " + strings.Join(x.missed, "; ")
		}
		t.Add(x.what, x.measured, answer)
	}
	t.Note("Of %d targets %d hold.", len(all), held)
	return t
}

// rateHolds asks for no more false rollbacks than set, in every world without harm: a world counts
// as missed if even the low end of its interval is above.
func rateHolds(ctx context.Context, alpha float64, how measure) target {
	t := target{what: fmt.Sprintf("false rollbacks at most %s in every world without harm", percent(alpha))}
	worst, worlds := 0.0, healthy()
	for _, w := range worlds {
		r := how(ctx, w)[nameOurs]
		worst = max(worst, r.share())
		if low, _ := sequential.Wilson(float64(r.found), float64(r.runs)); low > alpha {
			t.missed = append(t.missed, w.name+" "+percent(r.share()))
		}
	}
	t.measured = fmt.Sprintf("in %d of %d worlds; at most %s", len(worlds)-len(t.missed), len(worlds), percent(worst))
	return t
}

// faster asks for a speed of ours, in times of the oracle's or another judge's.
func faster(ctx context.Context, what string, worlds []world, least float64, than string, how measure) target {
	t := target{what: what}
	var cells []string
	for _, w := range worlds {
		got := how(ctx, w)
		x := got[than].seconds / got[nameOurs].seconds
		cells = append(cells, fmt.Sprintf("%s: %.2f", w.name, x))
		if x < least {
			t.missed = append(t.missed, fmt.Sprintf("%s: %.2f", w.name, x))
		}
	}
	t.measured = strings.Join(cells, ", ")
	return t
}

func (b *bench) earlyEnd(ctx context.Context) target {
	e := b.sooner(ctx, clean())
	t := target{
		what:     "a healthy change ends an adaptive bake within a fifth of it, in the median",
		measured: fmt.Sprintf("%.0f s of %.0f", e.median, bake.Seconds()),
	}
	if e.median > bake.Seconds()/5 {
		t.missed = []string{fmt.Sprintf("%.0f s", e.median)}
	}
	return t
}
