package main

import (
	"context"
	"math"
	"slices"

	"github.com/sluicehq/sluice/internal/judge"
)

// contender decides over a bake.
type contender struct {
	name string
	// decide answers after how many looks it rolls back; 0 is not at all.
	decide func(series) int
}

// rule is a judge with a threshold: it rolls back at the first look whose score is that high.
// Scores that are no number never are.
type rule struct {
	name string
	// begin answers what scores the looks of a bake, one after the other.
	begin func(series) score
}

// score is that of a bake up to look i, which is l.
type score func(i int, l judge.ArmCounts) float64

// at is the rule with a threshold.
func (r rule) at(threshold float64) contender {
	return contender{r.name, func(s series) int { return r.first(s, threshold) }}
}

func (r rule) first(s series, threshold float64) int {
	score := r.begin(s)
	for i, l := range s.since {
		if score(i, l) >= threshold {
			return i + 1
		}
	}
	return 0
}

// threshold is the lowest at which at most a share alpha of bakes are rolled back.
func (r rule) threshold(ctx context.Context, bakes sample, alpha float64) float64 {
	highest := make([]float64, bakes.runs)
	bakes.each(ctx, func(run int, s series) {
		highest[run] = math.Inf(-1)
		score := r.begin(s)
		for i, l := range s.since {
			if x := score(i, l); x > highest[run] {
				highest[run] = x
			}
		}
	})
	return math.Nextafter(quantile(highest, 1-alpha), math.Inf(1))
}

// quantile is the value that a share q of values does not exceed. It sorts them.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[min(len(values)-1, max(0, int(math.Ceil(q*float64(len(values))))-1))]
}

// criteria are those of a rollout whose stage may be rolled back falsely so often.
func criteria(alpha float64) judge.Criteria {
	c := judge.Criteria{Every: every, Bake: bake, MinSamples: 100}
	c.Alpha, c.Traffic = judge.SplitRate(alpha)
	return c
}

// sluice is Sluice's judge.
func sluice(name string, c judge.Criteria) contender {
	return contender{name, func(s series) int {
		if out := judge.Run(c, s.all()); out.Verdict == judge.Fail {
			return int(out.At / every)
		}
		return 0
	}}
}

func ours(alpha float64) contender { return sluice(nameOurs, criteria(alpha)) }

// oursCalibrated is the same at the rate at which so many clean bakes are in fact rolled back. It
// is found from one reading of each: a bake is rolled back at any rate above the P that it ends
// with.
func oursCalibrated(ctx context.Context, bakes sample, alpha float64) (contender, float64) {
	c := criteria(alpha)
	c.Alpha = math.SmallestNonzeroFloat64
	ps := make([]float64, bakes.runs)
	bakes.each(ctx, func(i int, s series) { ps[i] = judge.Run(c, s.all()).P })
	c.Alpha = min(quantile(ps, alpha), 0.99)
	return sluice(nameOursEven, c), c.Alpha
}
