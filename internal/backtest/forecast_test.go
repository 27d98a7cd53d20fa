package backtest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

func hour(seed uint64) health.Replay {
	r := day(seed, func(int) float64 { return 1 })
	r.Looks = r.Looks[:240]
	return r
}

// A forecast says what the judge then does, on average.
func TestExpect(t *testing.T) {
	t.Parallel()
	r := hour(1)
	f := Expect("canary", r)
	require.InDelta(t, 20, f.Exposed, 0.5)
	require.InDelta(t, 200, f.Control, 5)
	require.InDelta(t, 0.01, f.Base, 0.001)
	require.Empty(t, f.Warnings)
	require.InDelta(t, f.Exposed*f.Five, f.AtRisk, 1)

	for factor, expected := range map[float64]float64{2: f.Twice, 5: f.Five} {
		var took []float64
		for seed := range uint64(41) {
			broken := day(seed, func(i int) float64 {
				if i >= 200 {
					return factor
				}
				return 1
			})
			took = append(took, judge.Run(r.Criteria, around(broken, 200*step)).At.Seconds())
		}
		slices.Sort(took)
		require.InDelta(t, expected, took[20], max(step.Seconds(), 0.4*expected), "%v times", factor)
	}
}

func TestExpectWarns(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*health.Replay){
		"nothing is known of its past": func(r *health.Replay) { r.Looks, r.Missing = nil, "gone" },
		"have no traffic": func(r *health.Replay) {
			for i := range r.Looks {
				r.Looks[i].Exposed.Total, r.Looks[i].Exposed.Bad = 0, 0
			}
		},
		"minSamples asks for 1,000,000":      func(r *health.Replay) { r.Criteria.MinSamples = 1e6 },
		"times as many bad events show":      func(r *health.Replay) { r.Criteria.Bake = time.Minute },
		"no fault shows within a bake of 1s": func(r *health.Replay) { r.Criteria.Bake, r.Criteria.MinSamples = time.Second, 1; few(r) },
		"came in bursts": func(r *health.Replay) {
			for i := range r.Looks {
				if i%10 == 0 {
					r.Looks[i].Exposed.Bad += 40
				}
			}
		},
	} {
		r := hour(2)
		change(&r)
		require.Contains(t, strings.Join(Expect("canary", r).Warnings, "; "), says)
	}
}

// A bake that cannot show what is asked comes with one that does, where a day has one.
func TestExpectNamesABake(t *testing.T) {
	t.Parallel()
	r := hour(2)
	r.Criteria.Bake = time.Minute
	f := Expect("canary", r)
	longer := time.Duration(f.Enough * float64(time.Second))
	require.Greater(t, longer, time.Minute)
	require.Contains(t, f.Warnings[0], "within a bake of 1m, not 2 times: bake "+spec.Duration(longer).String()+", or expose more")
	r.Criteria.Bake = longer
	again := Expect("canary", r)
	require.Empty(t, again.Warnings)
	require.Zero(t, again.Enough)

	r.Criteria.MinSamples = 1e6 // 20 a second in 14 hours
	f = Expect("canary", r)
	require.Regexp(t, `minSamples asks for 1,000,000: it will be UNEXERCISED; bake \d+h`, f.Warnings[0])
	require.GreaterOrEqual(t, f.Enough*f.Exposed, 1e6)
	r.Criteria.MinSamples = 1e9
	f = Expect("canary", r)
	require.Contains(t, f.Warnings[0], "no bake of up to a day does: expose more")
	require.Zero(t, f.Enough)
}

// few leaves one event a look on the exposed arm.
func few(r *health.Replay) {
	for i := range r.Looks {
		r.Looks[i].Exposed.Total, r.Looks[i].Exposed.Bad = 15, 0
		r.Looks[i].Control.Bad = 0
	}
}

// The smallest ratio is one that shows in about half of the bakes; a larger one nearly always does,
// and a smaller one hardly ever.
func TestSmallestIsWhatShows(t *testing.T) {
	t.Parallel()
	for burst, smallest := range map[float64]float64{1: 1.32, 4: 1.68} {
		r := hour(1)
		f := Expect("canary", bursty(r, 1, burst))
		require.InEpsilon(t, smallest, f.Smallest, 0.25, "%v", burst)
		for factor, share := range map[float64][2]float64{f.Smallest: {0.2, 0.8}, 1.5 * f.Smallest: {0.85, 1}, 1 + (f.Smallest-1)/2: {0, 0.15}} {
			found, runs := 0, 100
			for seed := range uint64(runs) {
				broken := bursty(day(seed, func(i int) float64 {
					if i >= 200 {
						return factor
					}
					return 1
				}), seed, burst)
				if judge.Run(r.Criteria, around(broken, 200*step)).Verdict == judge.Fail {
					found++
				}
			}
			got := float64(found) / float64(runs)
			require.GreaterOrEqual(t, got, share[0], "%v times, bursts of %v", factor, burst)
			require.LessOrEqual(t, got, share[1], "%v times, bursts of %v", factor, burst)
			t.Logf("bursts of %v: %.2f times: %.0f%%", burst, factor, 100*got)
		}
	}
}

// bursty makes every so many bad events of an arm come at once.
func bursty(r health.Replay, seed uint64, burst float64) health.Replay {
	if burst == 1 {
		return r
	}
	src := rand.NewPCG(seed, 2)
	for _, l := range r.Looks {
		for _, c := range []*sequential.Counts{l.Exposed, l.Control} {
			c.Bad = burst * distuv.Poisson{Lambda: c.Bad / burst, Src: src}.Rand()
		}
	}
	return r
}
