package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Computed from all permutations of the pooled values, for the deviation with ties,
// and with 30 digits by mpmath.
func TestMannWhitneyReference(t *testing.T) {
	for _, tc := range []struct {
		first, second []float64
		want          rankTest
	}{
		{
			[]float64{1, 2, 3, 4},
			[]float64{2, 3, 4, 5},
			rankTest{4.5, -1.0289032876362296, 0.8801804766960006, 0.18891081855003192, 0.37782163710006383},
		},
		{
			[]float64{9, 1, 2, 5, 1},
			[]float64{1, 2, 2, 3, 3},
			rankTest{13, 0.10741723110591493, 0.5, 0.5850518083956728, 1},
		},
		{
			[]float64{7, 8, 9, 10},
			[]float64{1, 2, 3},
			rankTest{12, 2.1213203435596424, 0.025914963608954837, 0.9892218666199918, 0.051829927217909674},
		},
		{
			[]float64{3, 3, 3, 4},
			[]float64{3, 3, 3, 3},
			rankTest{10, 1, 0.2266273523768682, 0.8943502263331448, 0.4532547047537364},
		},
		{[]float64{1, 4}, []float64{2, 3}, rankTest{2, 0, 0.6507323208483307, 0.6507323208483307, 1}},
		{[]float64{5, 5}, []float64{5}, rankTest{u: 1, larger: 1, smaller: 1, different: 1}},
	} {
		got, ok := mannWhitney(tc.first, tc.second)
		require.True(t, ok)
		require.InDelta(t, tc.want.u, got.u, 1e-12, tc.first)
		require.InDelta(t, tc.want.z, got.z, 1e-12, tc.first)
		require.InDelta(t, tc.want.larger, got.larger, 1e-12, tc.first)
		require.InDelta(t, tc.want.smaller, got.smaller, 1e-12, tc.first)
		require.InDelta(t, tc.want.different, got.different, 1e-12, tc.first)
	}
}

func TestMannWhitneyOfNothing(t *testing.T) {
	for _, tc := range [][2][]float64{{{}, {1}}, {{1}, {}}, {{1, math.NaN()}, {2}}, {{1}, {math.NaN()}}} {
		_, ok := mannWhitney(tc[0], tc[1])
		require.False(t, ok)
	}
	infinite, ok := mannWhitney([]float64{math.Inf(1), math.Inf(1)}, []float64{1, math.Inf(-1)})
	require.True(t, ok)
	require.InDelta(t, 4, infinite.u, 0)
}

// The other way round, everything is mirrored; and u is what it is said to be.
func TestMannWhitneyMirrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sample := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 9), func(i int) float64 { return float64(i) }), 1, 30)
		a, b := sample.Draw(t, "a"), sample.Draw(t, "b")
		one, ok := mannWhitney(a, b)
		require.True(t, ok)
		other, ok := mannWhitney(b, a)
		require.True(t, ok)
		wins := 0.0
		for _, x := range a {
			for _, y := range b {
				switch {
				case x > y:
					wins++
				case x == y:
					wins += .5
				}
			}
		}
		require.InDelta(t, wins, one.u, 1e-9)
		require.InDelta(t, float64(len(a)*len(b)), one.u+other.u, 1e-9)
		require.InDelta(t, one.larger, other.smaller, 1e-12)
		require.InDelta(t, one.different, other.different, 1e-12)
		for _, p := range []float64{one.larger, one.smaller, one.different} {
			require.True(t, p >= 0 && p <= 1, p)
		}
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
		got, ok := mannWhitney(a, b)
		require.True(t, ok)
		if got.different <= .05 {
			alarms++
		}
	}
	require.InDelta(t, .05, float64(alarms)/runs, .012)
}
