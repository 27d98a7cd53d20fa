package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/sequential"
)

// report is one of the tables.
type report struct {
	name string
	make func(context.Context, *bench) *table.Table
}

func reports() []report {
	return []report{
		{"targets", targets},
		{"healthy", falseOurs},
		{"peers", falsePeers},
		{"past", falsePast},
		{"self", withoutControl},
		{"unknowable", falseUnknowable},
		{"traffic", trafficRules},
		{"delay", delays},
		{"strict", strictDelays},
		{"harder", harderDelays},
		{"adaptive", adaptive},
		{"holds", holds},
	}
}

func percent(x float64) string { return fmt.Sprintf("%.1f%%", 100*x) }

// interval words the 95% interval of a share of the bakes that are rolled back.
func (b *bench) interval(share float64) string {
	low, high := sequential.Wilson(share*float64(b.runs), float64(b.runs))
	return fmt.Sprintf("%s: %.1f to %.1f", percent(share), 100*low, 100*high)
}

func (r result) rollbacks() string { return percent(r.share()) }

func (r result) share() float64 { return float64(r.found) / float64(max(1, r.runs-r.early)) }

// delay words the mean delay, and the share that is found if that is not all.
func (r result) delay() string {
	text := fmt.Sprintf("%.0f", r.seconds)
	if s := percent(r.share()); s != "100.0%" {
		text += " (" + s + ")"
	}
	return text
}

// rollbacks makes a table with a row for each world and a column for each judge.
func (b *bench) rollbacks(ctx context.Context, title string, worlds []world, names ...string) *table.Table {
	t := &table.Table{Title: title, Head: append([]string{"world"}, names...)}
	for _, w := range worlds {
		got, row := b.usually(ctx, w), []string{w.name}
		for _, n := range names {
			row = append(row, got[n].rollbacks())
		}
		t.Add(row...)
	}
	return t
}

func falseOurs(ctx context.Context, b *bench) *table.Table {
	t := b.rollbacks(ctx, "False rollbacks in worlds without harm: tests by likelihood", healthy(),
		nameOurs, nameOursEven, nameGrid, nameGridEven, nameOracle)
	t.Head = append(t.Head, "Sluice at 0.1%")
	for i, w := range healthy() {
		t.Rows[i] = append(t.Rows[i], b.strictly(ctx, w)[nameOurs].rollbacks())
	}
	t.Note("Share of %s bakes that are rolled back. Its 95%% interval, as an example (%s; %s; %s), holds for every such table. "+
		"`Sluice` is set to 5%% and used as it is. The oracle looks for 2×.",
		humanize.Integer(float64(b.runs)), b.interval(0.001), b.interval(0.05), b.interval(0.5))
	return t
}

func falsePeers(ctx context.Context, b *bench) *table.Table {
	var names []string
	for _, j := range b.peers() {
		names = append(names, j.name)
	}
	t := b.rollbacks(ctx, "False rollbacks in some of the same worlds: how others decide", healthy()[:compared], names...)
	t.Note("All but the last are calibrated to 5%% in the clean world of another seed, and then left alone: %s.",
		strings.Join(b.limits, "; "))
	return t
}

// falsePast is how false rollbacks where errors come in bursts depend on how long they could be
// seen before.
func falsePast(ctx context.Context, b *bench) *table.Table {
	t := &table.Table{Title: "False rollbacks where errors come in bursts, by how long a past is known", Head: []string{"past"}}
	lasting := []int{4, 12}
	for _, last := range lasting {
		for _, rate := range []float64{usual, 0.01, strict} {
			t.Head = append(t.Head, fmt.Sprintf("bursts of %d min, at %s", last/4, percent(rate)))
		}
	}
	runs := b.fewer()
	for _, known := range []int{4, 40, 120, 240, sixHours} {
		row := []string{fmt.Sprintf("%.0f min", (time.Duration(known) * every).Minutes())}
		for _, last := range lasting {
			bakes := sample{world{name: t.Title, known: known, bend: longBursts(last)}, runs, b.seed}
			for _, r := range bakes.measure(ctx, []contender{ours(usual), ours(0.01), ours(strict)}) {
				row = append(row, r.rollbacks())
			}
		}
		t.Add(row...)
	}
	t.Note("Share of %s bakes. Bursts have five times the errors and come every ten minutes, in each arm by itself.",
		humanize.Integer(float64(runs)))
	return t
}

func falseUnknowable(ctx context.Context, b *bench) *table.Table {
	t := b.rollbacks(ctx, "False rollbacks where nothing before the change tells", unknowable(), nameOurs, nameGridEven, nameRank, nameApart)
	t.Note("The rate is not promised in these worlds: the exposed arm gets worse for a while although the change does no harm, " +
		"and nothing could tell.")
	return t
}

// delaysOf makes a table of delays with a row for each judge and a column for each world.
func delaysOf(ctx context.Context, title string, worlds []world, judges []contender, how measure) *table.Table {
	t := &table.Table{Title: title, Head: []string{"judge"}}
	for _, j := range judges {
		t.Add(j.name)
	}
	for _, w := range worlds {
		t.Head = append(t.Head, w.name)
		got := how(ctx, w)
		for i, j := range judges {
			t.Rows[i] = append(t.Rows[i], got[j.name].delay())
		}
	}
	return t
}

// bound is the least mean delay that any test can have which alarms falsely with probability alpha
// and finds the share that ours finds.
func bound(factor, alpha, power float64) float64 {
	d, ok := sequential.Traffic{Base: baseErrors, Exposed: exposedRPS, Control: controlRPS}.Delay(factor, alpha, power)
	if !ok {
		return math.NaN()
	}
	return d
}

// against adds rows that compare ours with the bound, and one of each pair with the other.
func against(ctx context.Context, t *table.Table, worlds []world, alpha float64, how measure, pairs ...[2]string) {
	rows := [][]string{{"least possible (Wald)"}}
	for _, p := range pairs {
		rows = append(rows, []string{fmt.Sprintf("speed: %s / %s", p[1], p[0])})
	}
	for _, w := range worlds {
		got := how(ctx, w)
		rows[0] = append(rows[0], fmt.Sprintf("%.0f", bound(w.factor, alpha, got[nameOurs].share())))
		for i, p := range pairs {
			rows[i+1] = append(rows[i+1], fmt.Sprintf("%.2f", got[p[1]].seconds/got[p[0]].seconds))
		}
	}
	t.Rows = append(t.Rows, rows...)
}

func delays(ctx context.Context, b *bench) *table.Table {
	t := delaysOf(ctx, "Mean delay until harm is found, in seconds", harmful(), b.judges, b.usually)
	against(ctx, t, harmful(), usual, b.usually, [2]string{nameOurs, nameOracle}, [2]string{nameOursEven, nameOracleEven})
	row := []string{"bad requests until Sluice's rollback"}
	for _, w := range harmful() {
		row = append(row, fmt.Sprintf("%.1f", b.usually(ctx, w)[nameOurs].bad))
	}
	t.Add(row...)
	t.Note("In brackets the share that is found, where that is not all; a bake in which it is not found counts as 1800 s. "+
		"`oracle` and `likelihood grid` fail at ln 20 nats. The least possible delay is that of a test with 5%% false rollbacks "+
		"that finds as many as `%s`; it has no looks of 15 s.", nameOurs)
	return t
}

func strictDelays(ctx context.Context, b *bench) *table.Table {
	worlds := slices.Concat(harmful()[2:], longKnown())
	t := delaysOf(ctx, "Mean delay at a rate of false rollbacks of 0.1%, in seconds", worlds, strictly(), b.strictly)
	against(ctx, t, worlds, strict, b.strictly, [2]string{nameOurs, nameOracle})
	return t
}

// harderDelays are those of faults that begin late, and of harm beside bursts.
func harderDelays(ctx context.Context, b *bench) *table.Table {
	worlds := slices.Concat(late(), burstyHarm(), longBurstyHarm())
	how := func(ctx context.Context, w world) map[string]result {
		if w.onset > 0 {
			return b.lately(ctx, w)
		}
		return b.usually(ctx, w)
	}
	t := delaysOf(ctx, "Mean delay of faults that begin after 15 minutes, and where errors come in bursts, in seconds",
		worlds, b.compared(), how)
	t.Note("Delays of late faults count from when they begin; one that is not found counts as 900 s, and bakes that were rolled back before " +
		"do not count. Compare with the false rollbacks in these worlds without harm: a judge that rolls everything back is fast.")
	return t
}
