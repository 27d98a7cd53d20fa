package sequential_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

// With ρ = 0.03984, which is narrowest at 5,000 values.
func TestHalfWidthReference(t *testing.T) {
	const r, alpha = 0.03984, .05
	for _, n := range []float64{500, 1000, 5000, 1e6} {
		m := sequential.Moments{N: n, Mean: 3, M2: 4 * (n - 1)}
		want := 2 * math.Sqrt(2*(n*r*r+1)/(n*r*n*r)*math.Log(math.Sqrt(n*r*r+1)/alpha))
		require.InEpsilon(t, want, m.HalfWidth(alpha, 5000), 1e-4)
		const one = 0.035578 // ρ for one side: that of twice the level
		want = 2 * math.Sqrt(2*(n*one*one+1)/(n*one*n*one)*math.Log(1+math.Sqrt(n*one*one+1)/(2*alpha)))
		require.InEpsilon(t, want, m.Margin(alpha, 5000), 1e-4)
	}
}

// It is narrowest where it was asked to be.
func TestHalfWidthIsTuned(t *testing.T) {
	at := func(nOpt float64) float64 {
		return sequential.Moments{N: 5000, M2: 1}.HalfWidth(.05, nOpt)
	}
	for _, other := range []float64{500, 3000, 8000, 50000} {
		require.Less(t, at(5000), at(other), other)
	}
}

func TestMomentsAgainstTwoPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 60).Draw(t, "xs")
		cut := rapid.IntRange(0, len(xs)).Draw(t, "cut")
		var left, right sequential.Moments
		mean := 0.0
		for i, x := range xs {
			mean += x / float64(len(xs))
			if i < cut {
				left = left.Add(x)
			} else {
				right = right.Add(x)
			}
		}
		m2 := 0.0
		for _, x := range xs {
			m2 += (x - mean) * (x - mean)
		}
		for _, m := range []sequential.Moments{left.Merge(right), right.Merge(left)} {
			require.InDelta(t, len(xs), m.N, 0)
			require.InDelta(t, mean, m.Mean, 1e-6)
			require.InDelta(t, m2, m.M2, 1e-6*(1+m2))
		}
	})
}

// The textbook formula loses all digits here.
func TestMomentsFarFromZero(t *testing.T) {
	var m sequential.Moments
	for _, x := range []float64{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16} {
		m = m.Add(x)
	}
	require.Equal(t, sequential.Moments{N: 4, Mean: 1e9 + 10, M2: 90}, m)
}

func TestMomentsLeaveOutWhatCannotBe(t *testing.T) {
	m := sequential.Moments{}.Add(1).Add(3)
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e200} {
		require.Equal(t, m, m.Add(x))
	}
	require.Equal(t, m, m.Merge(sequential.Moments{N: -3, Mean: 1}))
	require.Equal(t, m, sequential.Moments{N: math.NaN()}.Merge(m))
}

func TestHalfWidthKnowsNothing(t *testing.T) {
	good := sequential.Moments{N: 1000, Mean: 1, M2: 1000}
	require.False(t, math.IsInf(good.HalfWidth(.05, 1000), 0))
	for name, m := range map[string]sequential.Moments{
		"zero value": {}, "few": {N: 499, M2: 9}, "all the same": {N: 1000, Mean: 5},
		"contradictory": {N: 1000, M2: -1}, "no number": {N: 1000, Mean: math.NaN(), M2: 1}, "too many": {N: 1e18, M2: 1},
	} {
		require.True(t, math.IsInf(m.HalfWidth(.05, 1000), 1), name)
		low, high := sequential.Difference(good, m, .05, 1000)
		if name == "all the same" { // the other sample varies
			require.Negative(t, high)
			continue
		}
		require.Equal(t, []float64{math.Inf(-1), math.Inf(1)}, []float64{low, high}, name)
		require.True(t, math.IsInf(sequential.AtLeast(m, good, .05, 1000), -1), name)
	}
	for _, alpha := range []float64{0, 1, -1, math.NaN()} {
		require.True(t, math.IsInf(good.HalfWidth(alpha, 1000), 1), alpha)
	}
	for _, nOpt := range []float64{0, .5, -1, math.NaN(), math.Inf(1)} {
		require.True(t, math.IsInf(good.HalfWidth(.05, nOpt), 1), nOpt)
	}
}

func TestWidthsFallWithAlpha(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := sequential.Moments{N: rapid.Float64Range(500, 1e9).Draw(t, "n"), M2: 100}
		b := sequential.Moments{N: rapid.Float64Range(500, 1e9).Draw(t, "m"), M2: 50}
		nOpt := rapid.Float64Range(1, 1e9).Draw(t, "nOpt")
		large := rapid.Float64Range(1e-6, .999).Draw(t, "alpha")
		small := large * rapid.Float64Range(1e-3, 1).Draw(t, "part")
		require.GreaterOrEqual(t, a.HalfWidth(small, nOpt), a.HalfWidth(large, nOpt))
		require.GreaterOrEqual(t, a.Margin(small, nOpt), a.Margin(large, nOpt))
		require.LessOrEqual(t, sequential.AtLeast(a, b, small, nOpt), sequential.AtLeast(a, b, large, nOpt))
	})
}

// A control that is known exactly leaves the difference as wide as the mean.
func TestDifferenceFromALargeSample(t *testing.T) {
	a := sequential.Moments{N: 1000, Mean: 2, M2: 1000}
	b := sequential.Moments{N: 1e14, Mean: 1, M2: 1e14}
	low, high := sequential.Difference(a, b, .05, 500)
	require.InDelta(t, 1, (low+high)/2, 1e-9)
	require.InEpsilon(t, a.HalfWidth(.05, 500), (high-low)/2, 1e-2)
	require.InEpsilon(t, 1-a.Margin(.05, 500), sequential.AtLeast(a, b, .05, 500), 1e-2)
}

// Looked at after every value, over the whole run, also where values are far from
// normal and the samples' shares change on the way.
func TestMeanCoverage(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) float64{
		"normal":      (*rand.Rand).NormFloat64,
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() - 1 },
		"lognormal":   func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) - math.Exp(.5) },
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			const runs = 500
			mean, above, apart, worse := 0, 0, 0, 0
			for range runs {
				var a, b sequential.Moments
				var out, up, off, more bool
				for n := range 3000 {
					a = a.Add(draw(random))
					for range 5 - n/750 { // the stages grow
						b = b.Add(3 * draw(random))
					}
					out = out || math.Abs(a.Mean) > a.HalfWidth(.05, 1000)
					up = up || a.Mean > a.Margin(.05, 1000)
					low, high := sequential.Difference(a, b, .05, 1000)
					off = off || low > 0 || high < 0
					more = more || sequential.AtLeast(a, b, .05, 1000) > 0
				}
				mean, above, apart, worse = mean+one(out), above+one(up), apart+one(off), worse+one(more)
			}
			t.Log("mean", mean, "above", above, "apart", apart, "worse", worse, "of", runs)
			require.LessOrEqual(t, mean, runs/20)
			require.LessOrEqual(t, above, runs/20)
			require.LessOrEqual(t, apart, runs/20)
			require.LessOrEqual(t, worse, runs/20)
			require.Positive(t, mean+apart)
		})
	}
}

func FuzzMoments(f *testing.F) {
	f.Add(1000.0, 3.0, 4.0, 1e300, .05, 5000.0)
	f.Add(1e15, 1e100, 1e215, -1e100, 1e-300, 1e-300)
	f.Fuzz(func(t *testing.T, n, mean, m2, x, alpha, nOpt float64) {
		m := sequential.Moments{N: n, Mean: mean, M2: m2}
		added := sequential.Moments{N: 400, Mean: mean / 2, M2: 9}.Add(x).Merge(m)
		for _, v := range []float64{added.N, added.Mean, added.M2} {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), added)
		}
		require.False(t, math.IsNaN(m.HalfWidth(alpha, nOpt)))
		require.False(t, math.IsNaN(m.Margin(alpha, nOpt)))
		low, high := sequential.Difference(m, added, alpha, nOpt)
		require.LessOrEqual(t, low, high)
		require.False(t, math.IsNaN(sequential.AtLeast(added, m, alpha, nOpt)))
	})
}
