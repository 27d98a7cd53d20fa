package sequential_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

func TestMomentsAgainstTwoPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 60).Draw(t, "xs")
		var m sequential.Stats
		mean := 0.0
		for _, x := range xs {
			mean += x / float64(len(xs))
			m = m.Add(x)
		}
		m2 := 0.0
		for _, x := range xs {
			m2 += (x - mean) * (x - mean)
		}
		require.InDelta(t, len(xs), m.N, 0)
		require.InDelta(t, mean, m.Mean, 1e-6)
		require.InDelta(t, m2, m.M2, 1e-6*(1+m2))
	})
}

// The textbook formula loses all digits here.
func TestMomentsFarFromZero(t *testing.T) {
	var m sequential.Stats
	for _, x := range []float64{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16} {
		m = m.Add(x)
	}
	require.Equal(t, sequential.Stats{N: 4, Mean: 1e9 + 10, M2: 90}, m)
}

func TestMomentsLeaveOutWhatCannotBe(t *testing.T) {
	m := sequential.Stats{}.Add(1).Add(3)
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e200} {
		require.Equal(t, m, m.Add(x))
	}
	for _, odd := range []sequential.Stats{{N: -3, Mean: 1}, {N: math.NaN()}, {N: 1e18}, {N: 2, M2: -1}} {
		require.Equal(t, sequential.Stats{N: 1, Mean: 7}, odd.Add(7), odd)
	}
}

func FuzzMoments(f *testing.F) {
	f.Add(1000.0, 3.0, 4.0, 1e300)
	f.Add(1e15, 1e100, 1e215, -1e100)
	f.Fuzz(func(t *testing.T, n, mean, m2, x float64) {
		added := sequential.Stats{N: n, Mean: mean, M2: m2}.Add(9).Add(x)
		for _, v := range []float64{added.N, added.Mean, added.M2} {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), added)
		}
	})
}
