package main

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/lab/table"
)

// shortBake is that of stages that may hold for as long again.
const shortBake = 10 * time.Minute

// decided is how stages ended: shares of all.
type decided struct {
	// held had no verdict at the end of the bake; undecided had none at the end of the hold either,
	// and went back for that; failed went back for harm.
	held, undecided, failed float64
}

// stages judges stages of a world that hold without a verdict, as a rollout's gate does.
func (b *bench) stages(ctx context.Context, w world) decided {
	c := criteria(strict)
	c.Worse, c.Bake, c.Hold = 0.2, shortBake, shortBake/2
	runs := b.fewer()
	outs := make([]decided, runs)
	sample{w, runs, b.seed}.each(ctx, func(i int, s series) { outs[i] = stage(c, s) })
	var sum decided
	for _, o := range outs {
		sum = decided{sum.held + o.held, sum.undecided + o.undecided, sum.failed + o.failed}
	}
	n := float64(runs)
	return decided{sum.held / n, sum.undecided / n, sum.failed / n}
}

// stage is one of them.
func stage(c judge.Criteria, s series) (d decided) {
	j := judge.New(c, s.before)
	for _, l := range s.since {
		if l.At > 2*shortBake {
			break
		}
		j.See(l)
		switch out := j.Outcome(l.At); {
		case out.Verdict == judge.Fail:
			return decided{held: d.held, failed: 1}
		case l.At < c.Bake:
		case out.Verdict == judge.Pass:
			return decided{held: d.held}
		default:
			d.held = 1
		}
	}
	d.undecided = 1
	return d
}

func holds(ctx context.Context, b *bench) *table.Table {
	t := &table.Table{
		Title: "Stages of 10 min that hold up to 10 min more, with `worse: 20%`, at a rate of 0.1%",
		Head:  []string{"world", "held", "went back undecided", "went back for harm"},
	}
	worlds := slices.Concat(
		healthy(),
		worse(world{}, 1.5, 2, 3, 5),
		worse(world{name: ", nothing known from before", known: nothing}, 2, 3, 5),
		worse(world{name: ", exposed 10× for 20 min, 2 h before, 6 h known", known: sixHours, bend: stained}, 2, 5),
		worse(world{name: ", exposed 50× for 3 min, 5 min before", bend: hiding}, 1, 2, 3, 5, 10),
	)
	for _, w := range worlds {
		d := b.stages(ctx, w)
		if d == (decided{}) && w.factor == 0 {
			continue
		}
		t.Add(w.name, percent(d.held), percent(d.undecided), percent(d.failed))
	}
	t.Note("Share of %s stages. Rows with a factor have that harm from the first look on; "+
		"what neither failed nor was undecided passed. Worlds without harm in which all passed are left out.",
		humanize.Integer(float64(b.fewer())))
	return t
}
