package sequential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"
	"pgregory.net/rapid"
)

func TestEvidenceOfRatioReference(t *testing.T) {
	for _, tc := range []struct{ bad, good, ratio, want float64 }{
		{7, 3, .5, 0.02552656},
		{70, 30, .5, 3.69975960},
		{60, 40, .5, 0.65889182},
		{40, 60, .5, 0.65889182},
		{12, 88, .05, 1.54637383},
	} {
		t.Run(fmt.Sprint(tc.bad, tc.good, tc.ratio), func(t *testing.T) {
			require.InDelta(t, tc.want, notRatio(tc.bad, tc.bad+tc.good, tc.ratio, 100), 1e-8)
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
			low, high := Ratio(tc.bad, tc.total, .05, tc.tOpt)
			require.InDelta(t, tc.low, low, 1e-6)
			require.InDelta(t, tc.high, high, 1e-6)
		})
	}
}

func TestRatioOfVeryMany(t *testing.T) {
	const total = 1e12
	for _, ratio := range []float64{1e-9, 1e-3, .3, .999} {
		low, high := Ratio(ratio*total, total, .05, total)
		width := (high - low) / 2 / math.Sqrt(ratio*(1-ratio)/total)
		require.Greater(t, low, 0.0)
		require.Less(t, low, ratio)
		require.Greater(t, high, ratio)
		// The normal mixture at its optimum is 2.95 to 3.1 standard errors to either side; a
		// thousand events are not quite normal yet.
		require.InDelta(t, 3.04, width, .05, ratio)
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
		require.Zero(t, notRatio(tc.bad, tc.total, tc.ratio, tc.strength), tc)
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
		low, high := Ratio(tc.bad, tc.total, tc.alpha, tc.tOpt)
		require.Equal(t, []float64{0, 1}, []float64{low, high}, tc)
	}
}

// A ratio of 0 is refuted by any bad event, one of 1 by any other.
func TestEvidenceAtTheEnds(t *testing.T) {
	require.Greater(t, notRatio(1, 10, 0, 10), 1e6)
	require.Greater(t, notRatio(9, 10, 1, 10), 1e6)
	require.Zero(t, notRatio(0, 10, 0, 10))
	require.Zero(t, notRatio(10, 10, 1, 10))
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
		require.InDelta(t, want, notRatio(bad, total, ratio, strength), 1e-7)
	})
}

func TestRatioWidensAsAlphaFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Float64Range(.1, 1e6).Draw(t, "total")
		bad := total * rapid.Float64Range(0, 1).Draw(t, "share")
		tOpt := rapid.Float64Range(1, 1e6).Draw(t, "tOpt")
		large := rapid.Float64Range(1e-6, .5).Draw(t, "alpha")
		small := large * rapid.Float64Range(1e-3, 1).Draw(t, "part")
		low, high := Ratio(bad, total, large, tOpt)
		lower, higher := Ratio(bad, total, small, tOpt)
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
		low, high := Ratio(bad, total, .05, tOpt)
		at := rapid.Float64Range(.0001, .9999).Draw(t, "at")
		evidence := notRatio(bad, total, at, priorStrength(tOpt))
		require.Equal(t, at > low+1e-9 && at < high-1e-9, evidence < math.Log(20)-1e-9, "%v in [%v, %v]: %v", at, low, high, evidence)
	})
}

// Looked at after every event, over the whole run.
func TestRatioCoverage(t *testing.T) {
	for _, ratio := range []float64{.02, .3} {
		random := rand.New(rand.NewPCG(1, 2))
		missed := 0
		const runs = 500
		for range runs {
			bad, out := 0.0, false
			for n := 1.0; n <= 1000; n++ {
				if random.Float64() < ratio {
					bad++
				}
				out = out || notRatio(bad, n, ratio, priorStrength(300)) >= math.Log(20)
				if int(n)%50 == 0 {
					low, high := Ratio(bad, n, .05, 300)
					out = out || low > ratio || high < ratio
				}
			}
			if out {
				missed++
			}
		}
		t.Log(ratio, "missed", missed, "of", runs)
		require.LessOrEqual(t, missed, runs/20)
		require.Positive(t, missed, "no run missed: the sequence is wider than it needs to be")
	}
}

func FuzzRatio(f *testing.F) {
	f.Add(7.0, 10.0, .05, 100.0)
	f.Add(1e12, 1e12+1, 1e-300, 1e-300)
	f.Add(0.0, 1e-300, .999999999999, 1e15)
	f.Add(5e-324, 1.0, 5e-324, 5e-324)
	f.Fuzz(func(t *testing.T, bad, total, alpha, tOpt float64) {
		low, high := Ratio(bad, total, alpha, tOpt)
		require.True(t, low >= 0 && low <= high && high <= 1, "[%v, %v]", low, high)
		x := notRatio(bad, total, alpha, tOpt)
		require.False(t, math.IsNaN(x) || math.IsInf(x, 0), x)
	})
}
