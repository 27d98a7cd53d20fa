package sequential_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

func TestEvidenceOfRatioReference(t *testing.T) {
	for _, tc := range []struct{ bad, good, ratio, two, one float64 }{
		{7, 3, .5, 0.02552656, 0.28649664},
		{70, 30, .5, 3.69975960, 4.39067678},
		{60, 40, .5, 0.65889182, 1.27078259},
		{40, 60, .5, 0.65889182, -1.19845968},
		{12, 88, .05, 1.54637383, 2.33302670},
	} {
		t.Run(fmt.Sprint(tc.bad, tc.good, tc.ratio), func(t *testing.T) {
			require.InDelta(t, tc.two, sequential.NotRatio(tc.bad, tc.bad+tc.good, tc.ratio, 100), 1e-8)
			require.InDelta(t, tc.one, sequential.AboveRatio(tc.bad, tc.bad+tc.good, tc.ratio, 100), 1e-8)
			require.InDelta(t, tc.one, sequential.BelowRatio(tc.good, tc.bad+tc.good, 1-tc.ratio, 100), 1e-8)
		})
	}
}

// The intervals are those of the authors' own program, confseq.
func TestRatioReference(t *testing.T) {
	for _, tc := range []struct{ bad, total, tOpt, low, high float64 }{
		{700, 1000, 100, 0.651629, 0.745949},
		{15, 50, 50, 0.129556, 0.511896},
		{5, 50, 50, 0.013021, 0.269264},
		{1, 2, 50, 0, 1},
		{1, 2, 1e6, 0, 1},
	} {
		t.Run(fmt.Sprint(tc.bad, tc.total, tc.tOpt), func(t *testing.T) {
			low, high := sequential.Ratio(tc.bad, tc.total, .05, tc.tOpt)
			require.InDelta(t, tc.low, low, 1e-6)
			require.InDelta(t, tc.high, high, 1e-6)
		})
	}
}

// Far from where the counts lie, with priors weaker than one event, and with many
// events; computed with 40 digits by mpmath.
func TestAboveRatioFarOut(t *testing.T) {
	for _, tc := range []struct{ bad, total, limit, strength, want float64 }{
		{0, 5, 1e-9, 100, -0.00315880735976605},
		{3, 1000, 1e-9, 100, 39.1154141403862},
		{0, 1e6, .01, 100, -9.22048970292951},
		{1000, 1e6, .01, 100, -9.11515240258242},
		{0, 3, .999999, .001, -21.8218773766688},
		{3, 3, .999999, .001, 3.00000149708727e-6},
		{1, 2, 1e-6, .01, 9.07112403616606},
		{10000, 1e6, .01, 1e4, -2.28444880937021},
		{20, 40, .9999, 1, -12.2059823851373},
		{.5, 1.5, 1e-12, 1e-3, 7.5730335339033},
	} {
		require.InDelta(t, tc.want, sequential.AboveRatio(tc.bad, tc.total, tc.limit, tc.strength), 1e-8, tc)
	}
}

func TestRatioOfVeryMany(t *testing.T) {
	const total = 1e12
	for _, ratio := range []float64{1e-9, 1e-3, .3, .999} {
		low, high := sequential.Ratio(ratio*total, total, .05, total)
		width := (high - low) / 2 / math.Sqrt(ratio*(1-ratio)/total)
		require.Greater(t, low, 0.0)
		require.Less(t, low, ratio)
		require.Greater(t, high, ratio)
		// The normal mixture at its optimum is 2.95 to 3.1 standard errors to either
		// side; a thousand events are not quite normal yet.
		require.InDelta(t, 3.04, width, .05, ratio)

		// The one-sided evidence at limits just below, at, and just above.
		unit := math.Sqrt(ratio * (1 - ratio) / total)
		above := sequential.AboveRatio(ratio*total, total, ratio-6*unit, total/8)
		at := sequential.AboveRatio(ratio*total, total, ratio, total/8)
		below := sequential.AboveRatio(ratio*total, total, ratio+6*unit, total/8)
		require.Greater(t, above, 10.0)
		require.Less(t, below, at)
		require.InDelta(t, -math.Log(9)/2, at, .05, ratio)
	}
}

func TestEvidenceOfOddInput(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tc := range []struct{ bad, total, ratio, strength float64 }{
		{0, 0, .1, 10},
		{-1, 10, .1, 10},
		{5, 4, .1, 10},
		{nan, 4, .1, 10},
		{1, nan, .1, 10},
		{1, inf, .1, 10},
		{inf, inf, .1, 10},
		{1, 10, nan, 10},
		{1, 10, -.1, 10},
		{1, 10, 1.1, 10},
		{1, 10, .1, 0},
		{1, 10, .1, -1},
		{1, 10, .1, nan},
		{1, 10, .1, inf},
		{1, 1e16, .1, 10},
	} {
		require.Zero(t, sequential.NotRatio(tc.bad, tc.total, tc.ratio, tc.strength), tc)
		require.Zero(t, sequential.AboveRatio(tc.bad, tc.total, tc.ratio, tc.strength), tc)
	}
	for _, tc := range []struct{ bad, total, alpha, tOpt float64 }{
		{0, 0, .05, 10},
		{-1, 10, .05, 10},
		{5, 4, .05, 10},
		{nan, 4, .05, 10},
		{1, nan, .05, 10},
		{500, 1000, nan, 10},
		{500, 1000, 0, 10},
		{500, 1000, 1, 10},
		{500, 1000, .05, 0},
		{500, 1000, .05, nan},
		{500, 1000, .05, inf},
	} {
		low, high := sequential.Ratio(tc.bad, tc.total, tc.alpha, tc.tOpt)
		require.Equal(t, []float64{0, 1}, []float64{low, high}, tc)
	}
}

// A limit of 0 is broken by any bad event; one of 1 by nothing.
func TestEvidenceAtTheEnds(t *testing.T) {
	require.Zero(t, sequential.AboveRatio(0, 10, 0, 10))
	require.Greater(t, sequential.AboveRatio(1, 10, 0, 10), 1e6)
	require.Zero(t, sequential.AboveRatio(10, 10, 1, 10))
	require.Greater(t, sequential.BelowRatio(9, 10, 1, 10), 1e6)
	require.Greater(t, sequential.NotRatio(1, 10, 0, 10), 1e6)
	require.Greater(t, sequential.NotRatio(9, 10, 1, 10), 1e6)
	require.Zero(t, sequential.NotRatio(0, 10, 0, 10))
}

// The one-sided evidence is the two-sided one with its prior cut off: what another
// program's incomplete beta function makes of it.
func TestAboveRatioAgainstIncompleteBeta(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Float64Range(1, 2000).Draw(t, "total")
		bad := total * rapid.Float64Range(0, 1).Draw(t, "share")
		limit := rapid.Float64Range(.001, .999).Draw(t, "limit")
		strength := rapid.Float64Range(.5, 500).Draw(t, "strength")
		a, b := strength*limit, strength*(1-limit)
		after := mathext.RegIncBeta(b+total-bad, a+bad, 1-limit)
		if after < 1e-12 {
			t.Skip("the other program has no digits left")
		}
		want := sequential.NotRatio(bad, total, limit, strength) +
			math.Log(after) - math.Log(mathext.RegIncBeta(b, a, 1-limit))
		require.InDelta(t, want, sequential.AboveRatio(bad, total, limit, strength), 1e-6+1e-9*math.Abs(want))
	})
}

func TestNotRatioAgainstBetaFunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Float64Range(1e-3, 2000).Draw(t, "total")
		bad := total * rapid.Float64Range(0, 1).Draw(t, "share")
		ratio := rapid.Float64Range(.001, .999).Draw(t, "ratio")
		strength := rapid.Float64Range(.01, 500).Draw(t, "strength")
		a, b := strength*ratio, strength*(1-ratio)
		want := mathext.Lbeta(a+bad, b+total-bad) - mathext.Lbeta(a, b) -
			bad*math.Log(ratio) - (total-bad)*math.Log1p(-ratio)
		require.InDelta(t, want, sequential.NotRatio(bad, total, ratio, strength), 1e-7)
	})
}

func TestRatioWidensAsAlphaFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Float64Range(.1, 1e6).Draw(t, "total")
		bad := total * rapid.Float64Range(0, 1).Draw(t, "share")
		tOpt := rapid.Float64Range(1, 1e6).Draw(t, "tOpt")
		large := rapid.Float64Range(1e-6, .5).Draw(t, "alpha")
		small := large * rapid.Float64Range(1e-3, 1).Draw(t, "part")
		low, high := sequential.Ratio(bad, total, large, tOpt)
		lower, higher := sequential.Ratio(bad, total, small, tOpt)
		require.LessOrEqual(t, lower, low)
		require.GreaterOrEqual(t, higher, high)
		require.LessOrEqual(t, low, bad/total)
		require.GreaterOrEqual(t, high, bad/total)
	})
}

// What is outside of the interval is refuted all the way, not only at its edges.
func TestRatioIsOneInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Float64Range(1, 1e4).Draw(t, "total")
		bad := total * rapid.Float64Range(0, 1).Draw(t, "share")
		tOpt := rapid.Float64Range(5, 1e5).Draw(t, "tOpt")
		low, high := sequential.Ratio(bad, total, .05, tOpt)
		at := rapid.Float64Range(.0001, .9999).Draw(t, "at")
		evidence := sequential.NotRatio(bad, total, at, sequential.Strength(tOpt))
		require.Equal(t, at > low+1e-9 && at < high-1e-9, evidence < math.Log(20)-1e-9, "%v in [%v, %v]: %v", at, low, high, evidence)
	})
}

// Looked at after every event, over the whole run.
func TestRatioCoverage(t *testing.T) {
	for _, ratio := range []float64{.02, .3} {
		random := rand.New(rand.NewPCG(1, 2))
		missed, above, below := 0, 0, 0
		const runs = 500
		for range runs {
			bad, out, up, down := 0.0, false, false, false
			for n := 1.0; n <= 1000; n++ {
				if random.Float64() < ratio {
					bad++
				}
				out = out || sequential.NotRatio(bad, n, ratio, sequential.Strength(300)) >= math.Log(20)
				if int(n)%50 == 0 {
					low, high := sequential.Ratio(bad, n, .05, 300)
					out = out || low > ratio || high < ratio
					up = up || sequential.AboveRatio(bad, n, ratio, 50) >= math.Log(20)
					down = down || sequential.BelowRatio(bad, n, ratio, 50) >= math.Log(20)
				}
			}
			missed, above, below = missed+one(out), above+one(up), below+one(down)
		}
		t.Log(ratio, "missed", missed, "above", above, "below", below, "of", runs)
		require.LessOrEqual(t, missed, runs/20)
		require.LessOrEqual(t, above, runs/20)
		require.LessOrEqual(t, below, runs/20)
		require.Positive(t, missed, "no run missed: the sequence is wider than it needs to be")
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func FuzzRatio(f *testing.F) {
	f.Add(7.0, 10.0, .05, 100.0)
	f.Add(1e12, 1e12+1, 1e-300, 1e-300)
	f.Add(0.0, 1e-300, .999999999999, 1e15)
	f.Add(5e-324, 1.0, 5e-324, 5e-324)
	f.Fuzz(func(t *testing.T, bad, total, alpha, tOpt float64) {
		low, high := sequential.Ratio(bad, total, alpha, tOpt)
		require.True(t, low >= 0 && low <= high && high <= 1, "[%v, %v]", low, high)
		for _, x := range []float64{
			sequential.NotRatio(bad, total, alpha, tOpt),
			sequential.AboveRatio(bad, total, alpha, tOpt),
			sequential.BelowRatio(bad, total, alpha, tOpt),
		} {
			require.False(t, math.IsNaN(x) || math.IsInf(x, 0), x)
		}
	})
}
