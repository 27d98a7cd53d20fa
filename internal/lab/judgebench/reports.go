package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/sequential"
)

// report is one of the tables.
type report struct {
	name string
	make func(context.Context, *bench) (*table.Table, error)
}

func reports() []report {
	return []report{
		{"targets", targets},
		{"healthy", falseOurs},
		{"peers", falsePeers},
		{"unknowable", falseUnknowable},
		{"delay", delays},
		{"strict", strictDelays},
		{"harder", harderDelays},
		{"adaptive", adaptive},
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

func falseOurs(ctx context.Context, b *bench) (*table.Table, error) {
	names := []string{nameOurs, nameOursEven, nameGrid, nameGridEven, nameOracle}
	t := &table.Table{Title: "False rollbacks in worlds without harm: tests by likelihood"}
	t.Head = append(append([]string{"world"}, names...), "Sluice at 0.1%")
	for _, w := range healthy() {
		got, err := b.usually(ctx, w)
		if err != nil {
			return nil, err
		}
		row := []string{w.name}
		for _, n := range names {
			row = append(row, got[n].rollbacks())
		}
		strictly, err := b.strictly(ctx, w)
		if err != nil {
			return nil, err
		}
		t.Add(append(row, strictly[nameOurs].rollbacks())...)
	}
	t.Note("Share of %s bakes that are rolled back. Its 95%% interval, as an example (%s; %s; %s), holds for every such table. "+
		"`Sluice` is set to 5%% and used as it is. The oracle looks for 2×.",
		humanize.Integer(float64(b.runs)), b.interval(0.001), b.interval(0.05), b.interval(0.5))
	return t, nil
}

func falsePeers(ctx context.Context, b *bench) (*table.Table, error) {
	t := &table.Table{Title: "False rollbacks in the same worlds: how others decide", Head: []string{"world"}}
	for _, j := range b.peers() {
		t.Head = append(t.Head, j.name)
	}
	for _, w := range healthy() {
		got, err := b.usually(ctx, w)
		if err != nil {
			return nil, err
		}
		row := []string{w.name}
		for _, j := range b.peers() {
			row = append(row, got[j.name].rollbacks())
		}
		t.Add(row...)
	}
	t.Note("All but the last are calibrated to 5%% in the clean world of another seed, and then left alone: %s.",
		strings.Join(b.limits, "; "))
	return t, nil
}

func falseUnknowable(ctx context.Context, b *bench) (*table.Table, error) {
	names := []string{nameOurs, nameGridEven, nameRank, nameApart}
	t := &table.Table{Title: "False rollbacks where nothing before the change tells", Head: append([]string{"world"}, names...)}
	for _, w := range unknowable() {
		got, err := b.usually(ctx, w)
		if err != nil {
			return nil, err
		}
		row := []string{w.name}
		for _, n := range names {
			row = append(row, got[n].rollbacks())
		}
		t.Add(row...)
	}
	t.Note("The rate is not promised in these worlds: the exposed arm gets worse for a while although the change does no harm, " +
		"and nothing could tell.")
	return t, nil
}

// over makes a table with a row for each judge and a column for each world.
func (b *bench) over(ctx context.Context, t *table.Table, worlds []world, judges []contender,
	measure func(context.Context, world) (map[string]result, error), cell func(result) string,
) error {
	t.Head = []string{"judge"}
	rows := make([][]string, len(judges))
	for _, w := range worlds {
		t.Head = append(t.Head, w.name)
		got, err := measure(ctx, w)
		if err != nil {
			return err
		}
		for i, j := range judges {
			if len(rows[i]) == 0 {
				rows[i] = []string{j.name}
			}
			rows[i] = append(rows[i], cell(got[j.name]))
		}
	}
	t.Rows = append(t.Rows, rows...)
	return nil
}

// bound is the least mean delay that any test can have which alarms falsely with
// probability alpha and finds the share that ours finds.
func bound(factor, alpha, power float64) float64 {
	d, ok := sequential.Traffic{Base: baseErrors, Exposed: exposedRPS, Control: controlRPS}.Delay(factor, alpha, power)
	if !ok {
		return math.NaN()
	}
	return d
}

// against adds rows that compare ours with the oracle, and with the bound.
func (b *bench) against(ctx context.Context, t *table.Table, worlds []world, alpha float64,
	measure func(context.Context, world) (map[string]result, error), pairs ...[2]string,
) error {
	least := []string{"least possible (Wald)"}
	rows := make([][]string, len(pairs))
	for _, w := range worlds {
		got, err := measure(ctx, w)
		if err != nil {
			return err
		}
		least = append(least, fmt.Sprintf("%.0f", bound(w.factor, alpha, got[nameOurs].share())))
		for i, p := range pairs {
			if len(rows[i]) == 0 {
				rows[i] = []string{fmt.Sprintf("speed: %s / %s", p[1], p[0])}
			}
			rows[i] = append(rows[i], fmt.Sprintf("%.2f", got[p[1]].seconds/got[p[0]].seconds))
		}
	}
	t.Add(least...)
	t.Rows = append(t.Rows, rows...)
	return nil
}

func delays(ctx context.Context, b *bench) (*table.Table, error) {
	t := &table.Table{Title: "Mean delay until harm is found, in seconds"}
	if err := b.over(ctx, t, harmful(), b.judges, b.usually, result.delay); err != nil {
		return nil, err
	}
	pairs := [][2]string{{nameOurs, nameOracle}, {nameOursEven, nameOracleEven}}
	if err := b.against(ctx, t, harmful(), usual, b.usually, pairs...); err != nil {
		return nil, err
	}
	row := []string{"bad requests until Sluice's rollback"}
	for _, w := range harmful() {
		got, err := b.usually(ctx, w)
		if err != nil {
			return nil, err
		}
		row = append(row, fmt.Sprintf("%.1f", got[nameOurs].bad))
	}
	t.Add(row...)
	t.Note("In brackets the share that is found, where that is not all; a bake in which it is not found counts as 1800 s. "+
		"`oracle` and `likelihood grid` fail at ln 20 nats. The least possible delay is that of a test with 5%% false rollbacks that finds as many as `%s`; it has no looks of 15 s.", nameOurs)
	return t, nil
}

func strictDelays(ctx context.Context, b *bench) (*table.Table, error) {
	t := &table.Table{Title: "Mean delay at a rate of false rollbacks of 0.1%, in seconds"}
	worlds := harmful()[2:]
	if err := b.over(ctx, t, worlds, strictly(), b.strictly, result.delay); err != nil {
		return nil, err
	}
	err := b.against(ctx, t, worlds, strict, b.strictly, [2]string{nameOurs, nameOracle})
	return t, err
}

// harderDelays are those of faults that begin late, and of harm beside bursts.
func harderDelays(ctx context.Context, b *bench) (*table.Table, error) {
	t := &table.Table{Title: "Mean delay of faults that begin after 15 minutes, and where errors come in bursts, in seconds"}
	worlds := slices.Concat(late(), burstyHarm()[1:3], longBurstyHarm()[:2])
	measure := func(ctx context.Context, w world) (map[string]result, error) {
		if w.onset > 0 {
			return b.lately(ctx, w)
		}
		return b.usually(ctx, w)
	}
	if err := b.over(ctx, t, worlds, b.compared(), measure, result.delay); err != nil {
		return nil, err
	}
	t.Note("Delays of late faults count from when they begin; one that is not found counts as 900 s, and bakes that were rolled back before do not count. " +
		"Compare with the false rollbacks in these worlds without harm: a judge that rolls everything back is fast.")
	return t, nil
}
