package backtest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

const step = 15 * time.Second

// day is a day of looks at two arms, of which the exposed one has so many times as many errors at a
// look.
func day(seed uint64, factor func(i int) float64) health.Replay {
	src := rand.NewPCG(seed, 1)
	r := health.Replay{Check: "errors", Criteria: judge.Criteria{Alpha: 0.001, Every: step, Bake: 30 * time.Minute, MinSamples: 100}}
	for i := range int(24 * time.Hour / step) {
		r.Looks = append(r.Looks, judge.ArmCounts{
			At:      time.Duration(i+1) * step,
			Exposed: &sequential.Counts{Bad: distuv.Poisson{Lambda: 3 * factor(i), Src: src}.Rand(), Total: 300},
			Control: &sequential.Counts{Bad: distuv.Poisson{Lambda: 30, Src: src}.Rand(), Total: 3000},
		})
	}
	return r
}

func TestHealthyDay(t *testing.T) {
	t.Parallel()
	got := Check("canary", day(1, func(int) float64 { return 1 }), 30*time.Minute)
	require.Equal(t, 47, got.Bakes, "48 half hours, less the one that is only a past; the last has a whole bake")
	require.Zero(t, got.Failed)
	require.Equal(t, 47, got.Passed)
	require.Len(t, got.Worst, 1)
	require.Equal(t, judge.Pass, got.Worst[0].Verdict)
	require.Zero(t, got.Low)
	require.InDelta(t, 0.0756, got.High, 2e-3)
}

// An incident of one arm would have been taken for harm by the bakes that meet it.
func TestIncidentOfOneArm(t *testing.T) {
	t.Parallel()
	got := Check("canary", day(2, func(i int) float64 {
		if i >= 2400 && i < 2480 { // 20 minutes after ten hours
			return 8
		}
		return 1
	}), 30*time.Minute)
	require.Equal(t, 1, got.Failed)
	require.Equal(t, 10*time.Hour, got.Worst[0].At)
	require.Contains(t, got.Worst[0].Evidence, "times the usual")
}

func TestNothingToJudge(t *testing.T) {
	t.Parallel()
	require.Zero(t, Check("canary", health.Replay{Missing: "gone"}, time.Minute).Bakes)
	require.InDelta(t, 1, Check("canary", health.Replay{Missing: "gone"}, time.Minute).High, 0)
	require.Equal(t, "gone", Check("canary", health.Replay{Missing: "gone"}, time.Minute).Why)
	r := day(3, func(int) float64 { return 1 })
	r.Looks = r.Looks[:200]
	require.Zero(t, Check("canary", r, time.Minute).Bakes, "less than a past and a bake")
	r = day(3, func(int) float64 { return 1 })
	for i := range r.Looks {
		r.Looks[i].Control = nil
	}
	got := Check("canary", r, time.Hour)
	require.Equal(t, got.Bakes, got.Unknown)
	require.Contains(t, got.Why, "NODATA: nothing to compare with")
	require.InDelta(t, 1, got.High, 0, "bakes without a verdict tell nothing of the rate")
	r = day(3, func(int) float64 { return 1 })
	for i := range r.Looks[:len(r.Looks)/2] {
		r.Looks[i].Exposed, r.Looks[i].Control = nil, nil
	}
	got = Check("canary", r, 30*time.Minute)
	require.Equal(t, 47, got.Bakes)
	require.Equal(t, 24, got.Passed)
	require.InDelta(t, 24, got.Apart, 1e-9)
	require.InDelta(t, 0.138, got.High, 1e-3)
}

// Bakes that overlap leave as wide an interval as those that fit beside each other.
func TestOverlap(t *testing.T) {
	t.Parallel()
	r := day(1, func(int) float64 { return 1 })
	got := Check("canary", r, 3*time.Minute)
	require.Equal(t, 461, got.Bakes)
	require.InDelta(t, 47, got.Apart, 1) // one in a hundred is held
	require.Zero(t, got.Low)
	require.InDelta(t, 0.0756, got.High, 2e-3)
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]float64{0.001: 2995, 0.05: 59, 0: 0, 1: 0, math.Inf(1): 0, math.NaN(): 0} {
		require.InDelta(t, want, Needed(rate), 0, "%v", rate)
	}
}

// Too little traffic is told from no data.
func TestUnexercised(t *testing.T) {
	t.Parallel()
	r := day(1, func(int) float64 { return 1 })
	r.Criteria.MinSamples = 1e6
	got := Check("canary", r, time.Hour)
	require.Equal(t, got.Bakes, got.Unknown)
	require.Equal(t, got.Bakes, got.Unexercised)
	require.Contains(t, got.Why, "UNEXERCISED: 36,000 events")
}
