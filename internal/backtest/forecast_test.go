package backtest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
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
		total, runs := 0.0, 40
		for seed := range uint64(runs) {
			broken := day(seed, func(i int) float64 {
				if i >= 200 {
					return factor
				}
				return 1
			})
			out := judge.Run(r.Criteria, around(broken, 200*step))
			total += out.At.Seconds()
		}
		require.InEpsilon(t, expected, total/float64(runs), 0.5, "%v times", factor)
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

// few leaves one event a look on the exposed arm.
func few(r *health.Replay) {
	for i := range r.Looks {
		r.Looks[i].Exposed.Total, r.Looks[i].Exposed.Bad = 15, 0
		r.Looks[i].Control.Bad = 0
	}
}

// The smallest ratio is one that shows in about half of the bakes, and a larger one
// nearly always does.
func TestSmallestIsWhatShows(t *testing.T) {
	t.Parallel()
	r := hour(1)
	f := Expect("canary", r)
	for factor, share := range map[float64][2]float64{0.9 * f.Smallest: {0, 1}, f.Smallest: {0, 1}, 1.1 * f.Smallest: {0, 1}, 1.15 * f.Smallest: {0, 1}, 1.2 * f.Smallest: {0, 1}, 1.4 * f.Smallest: {0, 1}} {
		found, runs := 0, 400
		for seed := range uint64(runs) {
			broken := day(seed, func(i int) float64 {
				if i >= 200 {
					return factor
				}
				return 1
			})
			if judge.Run(r.Criteria, around(broken, 200*step)).Verdict == judge.Fail {
				found++
			}
		}
		got := float64(found) / float64(runs)
		require.GreaterOrEqual(t, got, share[0], "%v times", factor)
		require.LessOrEqual(t, got, share[1], "%v times", factor)
		t.Logf("%.2f times: %.0f%%", factor, 100*got)
	}
}
