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
	met            bool
	// missed are the worlds in which it does not.
	missed []string
}

// targets says which hold, and where one does not.
func targets(ctx context.Context, b *bench) (*table.Table, error) {
	var all []target
	measure := []func(context.Context, *bench) (target, error){rateHolds(usual), rateHolds(strict), speed, strictSpeed, lateSpeed, earlyEnd}
	for _, f := range measure {
		one, err := f(ctx, b)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	t := &table.Table{Title: "Targets", Head: []string{"target", "measured", "holds"}}
	held := 0
	for _, x := range all {
		answer := "yes"
		if x.met {
			held++
		} else {
			answer = "**no**: " + strings.Join(x.missed, "; ")
		}
		t.Add(x.what, x.measured, answer)
	}
	t.Note("Of %d targets %d hold.", len(all), held)
	return t, nil
}

// rateHolds asks for no more false rollbacks than set, in every world without harm:
// a world counts as missed if even the low end of its interval is above.
func rateHolds(alpha float64) func(context.Context, *bench) (target, error) {
	return func(ctx context.Context, b *bench) (target, error) {
		t := target{what: fmt.Sprintf("false rollbacks at most %s in every world without harm", percent(alpha)), met: true}
		measure := b.usually
		if alpha == strict {
			measure = b.strictly
		}
		worst, held := 0.0, 0
		for _, w := range healthy() {
			got, err := measure(ctx, w)
			if err != nil {
				return t, err
			}
			r := got[nameOurs]
			worst = max(worst, r.share())
			if low, _ := sequential.Wilson(float64(r.found), float64(r.runs)); low > alpha {
				t.met = false
				t.missed = append(t.missed, w.name+" "+percent(r.share()))
				continue
			}
			held++
		}
		t.measured = fmt.Sprintf("in %d of %d worlds; at most %s", held, len(healthy()), percent(worst))
		return t, nil
	}
}

// faster asks for a speed, in times of the oracle's or another judge's.
func faster(ctx context.Context, t target, worlds []world, least float64, than, who string,
	measure func(context.Context, world) (map[string]result, error),
) (target, error) {
	t.met = true
	var cells []string
	for _, w := range worlds {
		got, err := measure(ctx, w)
		if err != nil {
			return t, err
		}
		x := got[than].seconds / got[who].seconds
		cells = append(cells, fmt.Sprintf("%s: %.2f", w.name, x))
		if x < least {
			t.met = false
			t.missed = append(t.missed, fmt.Sprintf("%s: %.2f", w.name, x))
		}
	}
	t.measured = strings.Join(cells, ", ")
	return t, nil
}

func speed(ctx context.Context, b *bench) (target, error) {
	return faster(ctx, target{what: "at least 0.65 of the oracle's speed at 5%, from 2× on"}, harmful()[2:], 0.65, nameOracle, nameOurs, b.usually)
}

func strictSpeed(ctx context.Context, b *bench) (target, error) {
	return faster(ctx, target{what: "at least 0.75 of the oracle's speed at 0.1%, from 2× on"}, harmful()[2:], 0.75, nameOracle, nameOurs, b.strictly)
}

func lateSpeed(ctx context.Context, b *bench) (target, error) {
	return faster(ctx, target{what: "late faults at least twice as fast as if only faults from the start were looked for"}, late(), 2, nameCumulative, nameOurs, b.lately)
}

func earlyEnd(ctx context.Context, b *bench) (target, error) {
	e, err := b.sooner(ctx, clean())
	return target{
		what: "a healthy change ends an adaptive bake within a fifth of it, in the median", met: e.median <= bake/5,
		measured: fmt.Sprintf("%.0f s of %.0f", e.median.Seconds(), bake.Seconds()), missed: []string{e.median.String()},
	}, err
}
