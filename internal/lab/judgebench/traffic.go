package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/sequential"
)

// Requests, as a rollout's check of traffic sees them: those of six exposed targets one by one, and
// the control's together.
const (
	crowd     = 6
	perTarget = exposedRPS / crowd
	perWindow = 20 // looks that are counted together, at most
	inARow    = 3  // looks in which a target has none
)

// weather is how requests go in one bake: by what each exposed target's are multiplied in a look,
// and the control's.
type weather func(look int) (each [crowd]float64, control float64)

// traffics are worlds in which the change does nothing to the requests.
func traffics() []struct {
	name string
	make func(*rand.Rand) weather
} {
	arm := func(bend func(*rand.Rand, *day)) func(*rand.Rand) weather {
		return func(r *rand.Rand) weather {
			d := day{traffic: even}
			bend(r, &d)
			return func(look int) (each [crowd]float64, control float64) {
				exposed, control := d.traffic(look)
				for i := range each {
					each[i] = exposed
				}
				return each, control
			}
		}
	}
	return []struct {
		name string
		make func(*rand.Rand) weather
	}{
		{"steady", arm(func(*rand.Rand, *day) {})},
		{"little: 1 request in 10 s for each target", arm(scaled(0.06))},
		{"a tenth of all from the change on", arm(evening)},
		{"exposed ×2, ÷2 every 5 min", arm(autoscaling)},
		{"sticky clients, τ 5 min", arm(sticky(5 * time.Minute))},
		{"sticky clients, τ 30 min", arm(sticky(30 * time.Minute))},
		{"each target wanders, τ 10 min, σ 1", wandering},
		{"each target has 3 clients for 10 min each", sessions(3)},
		{"each target has 30 clients for 10 min each", sessions(30)},
	}
}

// scaled is less or more traffic of the exposed arm, always.
func scaled(by float64) func(*rand.Rand, *day) {
	return func(_ *rand.Rand, d *day) { d.traffic = func(int) (float64, float64) { return by, 1 } }
}

func evening(_ *rand.Rand, d *day) {
	d.traffic = while(func(i int) bool { return i > 0 }, 0.1, 0.1)
}

// wandering is a log-normal factor of each target.
func wandering(r *rand.Rand) weather {
	var of [crowd]func(int) (float64, float64)
	for i := range of {
		var d day
		wander(10*time.Minute, 1)(r, &d)
		of[i] = d.errors
	}
	return func(look int) (each [crowd]float64, control float64) {
		for i := range each {
			each[i], _ = of[i](look)
		}
		return each, 1
	}
}

// sessions are clients that come to a target, so many at once on average, and stay for ten minutes.
func sessions(mean float64) func(*rand.Rand) weather {
	return func(r *rand.Rand) weather {
		var there [crowd]float64
		for i := range there {
			there[i] = poisson(r, mean)
		}
		stay := math.Exp(-every.Minutes() / 10)
		return func(int) (each [crowd]float64, control float64) {
			for i := range each {
				there[i] = part(r, there[i], stay) + poisson(r, mean*(1-stay))
				each[i] = there[i] / mean
			}
			return each, 1
		}
	}
}

// counted is what was counted in the looks of a bake.
type counted struct {
	each    [][crowd]float64
	control []float64
}

func count(r *rand.Rand, w weather) (c counted) {
	for i := 1 - sixHours; i <= looks; i++ {
		each, control := w(i)
		for k := range each {
			each[k] = poisson(r, perTarget*every.Seconds()*each[k])
		}
		c.each, c.control = append(c.each, each), append(c.control, poisson(r, controlRPS*every.Seconds()*control))
	}
	return c
}

// judged is which of the two rules say that requests are lost: of all exposed targets, and of one.
func (c counted) judged() (share, one bool) {
	_, level := judge.SplitRate(strict)
	q := criteria(strict)
	q.Alpha, q.Traffic = math.SmallestNonzeroFloat64, level
	var series []judge.ArmCounts
	var own []float64
	for i, each := range c.each {
		all := 0.0
		for _, n := range each {
			all += n
		}
		own = append(own, all)
		series = append(series, judge.ArmCounts{
			At: time.Duration(i+1-sixHours) * every, Exposed: &sequential.Counts{Total: all}, Control: &sequential.Counts{Total: c.control[i]},
		})
	}
	u := judge.UnsteadyOf(own[:sixHours], c.control[:sixHours], every, bake, false)
	return judge.Run(q, series).Verdict == judge.Fail, c.dark(u, level/looks)
}

// dark is the rule of one target.
func (c counted) dark(u judge.Unsteady, level float64) bool {
	sum := func(from, to int) (of map[string]float64, all float64) {
		of = map[string]float64{}
		for i := from; i < to; i++ {
			for k, n := range c.each[i] {
				of[fmt.Sprint(k)] += n
				all += n
			}
			all += c.control[i]
		}
		return of, all
	}
	before, usual := sum(sixHours-perWindow, sixHours)
	for id, n := range before {
		if n == 0 {
			delete(before, id)
		}
	}
	row := 0
	for to := sixHours + 1; to <= len(c.each); to++ {
		from := max(sixHours, to-perWindow)
		now, all := sum(from, to)
		part := float64(to-from) / perWindow
		row++
		if len(u.Dark(before, now, part/2*min(1, all/(usual*part)), level)) == 0 {
			row = 0
		}
		if row == inARow {
			return true
		}
	}
	return false
}

// lose takes requests of some targets away from a look of the bake on.
func (c counted) lose(from, targets int) counted {
	out := counted{control: c.control}
	for i, each := range c.each {
		for k := range targets {
			if i >= sixHours+from {
				each[k] = 0
			}
		}
		out.each = append(out.each, each)
	}
	return out
}

func trafficRules(ctx context.Context, b *bench) *table.Table {
	t := &table.Table{
		Title: "Requests lost, at a rate of 0.1% of which `traffic` has a fiftieth, with 6 h of past",
		Head:  []string{"world", "false: the share", "false: one target", "found: all six lost", "found: one of six lost"},
	}
	runs := b.fewer()
	for _, w := range traffics() {
		var n [4]atomic.Int64
		sample{world{name: w.name}, runs, b.seed}.random(ctx, func(_ int, r *rand.Rand) {
			add := func(i int, hit bool) {
				if hit {
					n[i].Add(1)
				}
			}
			c := count(r, w.make(r))
			share, one := c.judged()
			add(0, share)
			add(1, one)
			share, _ = c.lose(lateOnset, crowd).judged()
			add(2, share)
			_, one = c.lose(lateOnset, 1).judged()
			add(3, one)
		})
		row := []string{w.name}
		for i := range n {
			row = append(row, percent(float64(n[i].Load())/float64(runs)))
		}
		t.Add(row...)
	}
	t.Note("Share of %s bakes of 30 min. Six exposed targets have 10 requests a second together, and the control 190. "+
		"What is lost is lost from 15 min on.", humanize.Integer(float64(runs)))
	return t
}
