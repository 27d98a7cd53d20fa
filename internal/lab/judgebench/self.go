package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/lab/table"
)

// selfRate is the rate of false rollbacks in the table of comparisons without a control.
const selfRate = strict

// self is Sluice's judge without a control: it compares the exposed arm with its own past.
func self() contender {
	c := criteria(selfRate)
	c.Before = true
	return contender{nameOurs, func(s series) int {
		all := slices.Clone(s.all())
		for i := range all {
			all[i].Control = nil
		}
		if out := judge.Run(c, all); out.Verdict == judge.Fail {
			return int(out.At / every)
		}
		return 0
	}}
}

// selfHealthy and selfHarmful are worlds for it.
func selfHealthy() []world {
	return []world{
		clean(),
		{name: "overdispersed, φ 5", bend: overdispersed(5)},
		{name: "bursts of 1 min at 5×", bend: longBursts(4)},
		{name: "bursts of 3 min at 5×", bend: longBursts(12)},
		{name: "hourly job of 2 min at 5×", bend: hourly},
		{name: "wanders, τ 5 min", bend: wander(5*time.Minute, 0.6)},
		{name: "wanders, τ 30 min", bend: wander(30*time.Minute, 0.6)},
		{name: "a wave of an hour, ±50%", bend: drift},
		{name: "a wave of a day, ±50%", bend: timeOfDay},
	}
}

func selfHarmful() []world {
	return slices.Concat(
		worse(world{}, 2, 3, 5),
		worse(world{name: ", φ 2", bend: overdispersed(2)}, 2, 3),
		worse(world{name: ", bursts of 1 min", bend: longBursts(4)}, 3, 5),
		worse(world{name: ", a wave of a day, ±50%", bend: timeOfDay}, 2, 3),
	)
}

// withoutControl is how a comparison with the time before does, by how long that is known.
func withoutControl(ctx context.Context, b *bench) *table.Table {
	pasts, runs := []int{40, 120, 240, 480, sixHours}, b.fewer()
	t := &table.Table{Title: "Without a control, by how long a past is known", Head: []string{"world"}}
	for _, known := range pasts {
		t.Head = append(t.Head, fmt.Sprintf("%.0f min", (time.Duration(known)*every).Minutes()))
	}
	for _, w := range slices.Concat(selfHealthy(), selfHarmful()) {
		row := []string{w.name}
		for _, known := range pasts {
			w.known = known
			r := sample{w, runs, b.seed}.measure(ctx, []contender{self()})[0]
			if w.factor > 0 {
				row = append(row, r.delay())
			} else {
				row = append(row, r.rollbacks())
			}
		}
		t.Add(row...)
	}
	t.Note("A bake of 30 min at a rate of %s; %s bakes each. Without harm: the share that is rolled back. With harm: the mean delay in "+
		"seconds, and the share that is found. A rollout reads two hours, in looks of 15 s.", percent(selfRate), humanize.Integer(float64(runs)))
	return t
}
