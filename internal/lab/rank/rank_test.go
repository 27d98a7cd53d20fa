package rank

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Computed from all permutations of the pooled values, for the deviation with ties, and with 30
// digits by mpmath.
func TestMannWhitneyReference(t *testing.T) {
	for _, tc := range []struct {
		first, second []float64
		want          float64
	}{
		{[]float64{1, 2, 3, 4}, []float64{2, 3, 4, 5}, -1.0289032876362296},
		{[]float64{9, 1, 2, 5, 1}, []float64{1, 2, 2, 3, 3}, 0.10741723110591493},
		{[]float64{7, 8, 9, 10}, []float64{1, 2, 3}, 2.1213203435596424},
		{[]float64{3, 3, 3, 4}, []float64{3, 3, 3, 3}, 1},
		{[]float64{1, 4}, []float64{2, 3}, 0},
		{[]float64{5, 5}, []float64{5}, 0},
	} {
		require.InDelta(t, tc.want, MannWhitney(tc.first, tc.second), 1e-12, tc.first)
	}
}

func TestMannWhitneyOfNothing(t *testing.T) {
	for _, tc := range [][2][]float64{{{}, {1}}, {{1}, {}}, {{1, math.NaN()}, {2}}, {{1}, {math.NaN()}}} {
		require.True(t, math.IsNaN(MannWhitney(tc[0], tc[1])))
	}
	infinite := MannWhitney([]float64{math.Inf(1), math.Inf(1)}, []float64{1, math.Inf(-1)})
	finite := MannWhitney([]float64{9, 9}, []float64{1, 0})
	require.InDelta(t, finite, infinite, 0)
}

// The other way round it is mirrored.
func TestMannWhitneyMirrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sample := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 9), func(i int) float64 { return float64(i) }), 1, 30)
		a, b := sample.Draw(t, "a"), sample.Draw(t, "b")
		require.InDelta(t, MannWhitney(a, b), -MannWhitney(b, a), 1e-9)
	})
}

// Read once, and with many ties, it alarms as often as it says.
func TestMannWhitneyLevel(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	const runs = 4000
	alarms := 0
	for range runs {
		var a, b []float64
		for range 40 {
			a = append(a, math.Floor(3*random.ExpFloat64()))
			b = append(b, math.Floor(3*random.ExpFloat64()), math.Floor(3*random.ExpFloat64()))
		}
		if math.Abs(MannWhitney(a, b)) >= 1.96 {
			alarms++
		}
	}
	require.InDelta(t, .05, float64(alarms)/runs, .012)
}
