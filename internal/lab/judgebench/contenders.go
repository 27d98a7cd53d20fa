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

// rule is a judge with a threshold: it rolls back at the first look whose score is
// that high. Scores that are no number never are.
type rule struct {
	name   string
	scores func(series) []float64
}

// at is the rule with a threshold.
func (r rule) at(threshold float64) contender {
	return contender{r.name, func(s series) int { return first(r.scores(s), threshold) }}
}

func first(scores []float64, threshold float64) int {
	return slices.IndexFunc(scores, func(x float64) bool { return x >= threshold }) + 1
}

// threshold is the lowest at which at most a share alpha of bakes are rolled back.
func (r rule) threshold(ctx context.Context, bakes sample, alpha float64) (float64, error) {
	highest := make([]float64, bakes.runs)
	err := bakes.each(ctx, func(i int, s series) {
		highest[i] = math.Inf(-1)
		for _, x := range r.scores(s) {
			if x > highest[i] {
				highest[i] = x
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return math.Nextafter(quantile(highest, 1-alpha), math.Inf(1)), nil
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

// ours is Sluice's judge.
func ours(alpha float64) contender {
	c := criteria(alpha)
	return contender{nameOurs, func(s series) int { return failed(judge.Run(c, s.all())) }}
}

func failed(out judge.Outcome) int {
	if out.Verdict != judge.Fail {
		return 0
	}
	return int(out.At / every)
}

// oursCalibrated is the same at the rate at which so many clean bakes are in fact
// rolled back. It is found from one reading of each: a bake is rolled back at any
// rate above the P that it ends with.
func oursCalibrated(ctx context.Context, bakes sample, alpha float64) (contender, float64, error) {
	c := criteria(alpha)
	c.Alpha = math.SmallestNonzeroFloat64
	ps := make([]float64, bakes.runs)
	err := bakes.each(ctx, func(i int, s series) { ps[i] = judge.Run(c, s.all()).P })
	if err != nil {
		return contender{}, 0, err
	}
	c.Alpha = min(quantile(ps, alpha), 0.99)
	return contender{nameOurs, func(s series) int { return failed(judge.Run(c, s.all())) }}, c.Alpha, nil
}
