package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/lab/table"
)

// ended is how bakes that may end early ended.
type ended struct {
	// median and late are when they ended with a PASS, at 50 and 90 % of all bakes, in seconds.
	median, late float64
	// failed is the share that was rolled back, early the share that passed before the bake was
	// over.
	failed, early float64
}

// sooner lets bakes of a world end as soon as the change has shown not to be twice as bad.
func (b *bench) sooner(ctx context.Context, w world) ended {
	c := criteria(usual)
	c.Least, c.Enough, c.Risk = time.Minute, 2, 0.05
	outs := make([]judge.Outcome, b.runs)
	sample{w, b.runs, b.seed}.each(ctx, func(i int, s series) {
		outs[i] = judge.Run(c, s.all())
		outs[i].Trace = nil
	})
	var e ended
	times := make([]float64, b.runs)
	for i, o := range outs {
		times[i] = o.At.Seconds()
		if o.Verdict != judge.Pass {
			times[i] = bake.Seconds()
		}
		switch {
		case o.Verdict == judge.Fail:
			e.failed++
		case o.Verdict == judge.Pass && o.At < bake:
			e.early++
		}
	}
	n := float64(b.runs)
	e.failed, e.early = e.failed/n, e.early/n
	e.median, e.late = quantile(times, 0.5), quantile(times, 0.9)
	return e
}

func adaptive(ctx context.Context, b *bench) *table.Table {
	t := &table.Table{
		Title: "A bake that may end early: `enough` 2×, at a risk of 5%, after 1 min at least",
		Head:  []string{"world", "half have passed by, s", "90% have passed by, s", "passed early", "rolled back"},
	}
	for _, w := range slices.Concat(healthy()[:7], harmful()[1:5], burstyHarm()) {
		e := b.sooner(ctx, w)
		t.Add(w.name, fmt.Sprintf("%.0f", e.median), fmt.Sprintf("%.0f", e.late), percent(e.early), percent(e.failed))
	}
	t.Note("Rows with a factor are worlds with that harm: passing there is wrong. At 2× and above at most 5%% may pass early.")
	return t
}
