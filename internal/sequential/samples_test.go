package sequential_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

func moments(values []float64) (m sequential.Stats) {
	for _, v := range values {
		m = m.Add(v)
	}
	return m
}

func TestAbove(t *testing.T) {
	t.Parallel()
	// The tails of Student's density, integrated numerically by another program.
	require.InDelta(t, 0.0107995, sequential.Above(moments([]float64{3, 4, 5, 6}), moments([]float64{1, 2, 2, 3, 2})), 1e-6)
	require.InDelta(t, 0.1197213, sequential.AboveZero(moments([]float64{1, 2, 3, -1})), 1e-6)
	same := moments([]float64{2, 2, 2})
	require.InDelta(t, 1.0, sequential.Above(same, same), 0)
	require.InDelta(t, 0.0, sequential.Above(moments([]float64{3, 3, 3}), same), 0)
	require.InDelta(t, 1.0, sequential.Above(moments([]float64{3}), same), 0)
	require.InDelta(t, 0.0, sequential.AboveZero(same), 0)
	require.InDelta(t, 1.0, sequential.AboveZero(sequential.Stats{}), 0)
}

func TestRankedAbove(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b []float64
		p    float64
	}{
		{[]float64{4, 5, 6}, []float64{1, 2, 3}, 1. / 20},
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 1},
		{[]float64{3, 5}, []float64{1, 2, 4}, 2. / 10},
		{[]float64{3, 5, 6, 7}, []float64{4}, 2. / 5},
		{[]float64{1, 1}, []float64{1, 1}, 1},
		{[]float64{2, 2}, []float64{1, 1}, 1. / 6},
		{nil, []float64{1}, 1},
		{[]float64{math.NaN()}, []float64{1}, 1},
	} {
		require.InDelta(t, test.p, sequential.RankedAbove(test.a, test.b), 1e-12, "%v %v", test.a, test.b)
	}
	require.InDelta(t, 1./8, sequential.RankedAboveZero([]float64{1, 2, 3}), 1e-12)
	require.InDelta(t, 2./8, sequential.RankedAboveZero([]float64{-1, 2, 3, 0}), 1e-12)
	require.InDelta(t, 1, sequential.RankedAboveZero([]float64{-1, -2}), 1e-12)
	require.InDelta(t, 1, sequential.RankedAboveZero([]float64{0, 0}), 1e-12)
}

// The exact probability and the approximation agree where one takes over, and far out the
// approximation says less.
func TestRanksOfLargeSamples(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for _, shift := range []float64{0, 0.3, 1.5} {
		var a, b []float64
		for i := range 280 {
			if i < 7 {
				a = append(a, r.NormFloat64()+shift)
			} else {
				b = append(b, r.NormFloat64())
			}
		}
		exact := sequential.RankedAbove(a, b)
		near := sequential.RankedAbove(a, append(b, r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()))
		require.Greater(t, math.Log(near), math.Log(exact)-0.4)
		if exact > 0.001 {
			require.InDelta(t, math.Log(exact), math.Log(near), 0.4)
		}
	}
}

// Whatever the values, what comes out is a probability.
func TestSamplesAnyInput(t *testing.T) {
	t.Parallel()
	odd := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), 1e300}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(odd, 0, 12).Draw(t, "a"), rapid.SliceOfN(odd, 0, 12).Draw(t, "b")
		for _, p := range []float64{
			sequential.Above(moments(a), moments(b)), sequential.AboveZero(moments(a)),
			sequential.RankedAbove(a, b), sequential.RankedAboveZero(a),
		} {
			require.True(t, p >= 0 && p <= 1, "%v", p)
		}
	})
}

func TestWilson(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ hits, tries, low, high float64 }{
		{0, 0, 0, 1},
		{0, 10, 0, 0.2775},
		{5, 10, 0.2366, 0.7634},
		{10, 10, 0.7225, 1},
		{0, 4000, 0, 0.00096},
		{200, 4000, 0.0437, 0.0572},
	} {
		low, high := sequential.Wilson(tc.hits, tc.tries)
		require.InDelta(t, tc.low, low, 1e-4)
		require.InDelta(t, tc.high, high, 1e-4)
	}
}
