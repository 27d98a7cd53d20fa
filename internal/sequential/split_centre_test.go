package sequential

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// Rates of arms that go up and down by themselves make the exposed arm's part of a
// look's events larger than its share, before the change as well as since. Bets must
// know it from before.
func TestBetsWhereRatesWander(t *testing.T) {
	t.Parallel()
	const runs = 300
	alarms := 0
	for run := range runs {
		src := rand.New(rand.NewPCG(uint64(run), 3))
		look := func() Pair {
			arm := func(mean, total float64) Counts {
				return Counts{distuv.Poisson{Lambda: mean * math.Exp(src.NormFloat64()-0.5), Src: src}.Rand(), total}
			}
			return Pair{Exposed: arm(0.75, 150), Control: arm(14.25, 2850)}
		}
		var before []Pair
		for range 120 {
			before = append(before, look())
		}
		test := NewTwoArms(Question{Start: Start{Looks: 120, First: 0.7}}, before)
		for range 120 {
			if test.See(look()); test.Evidence() >= math.Log(20) {
				alarms++
				break
			}
		}
	}
	require.LessOrEqual(t, alarms, 30, "of %d; all but a tenth of them without it", runs)
}

func TestSplitCentre(t *testing.T) {
	t.Parallel()
	var before []Pair
	for i := range 40 {
		before = append(before, Pair{Exposed: Counts{float64(2 + i%3), 100}, Control: Counts{10, 1000}})
	}
	nodes, ok := SplitCentre(before, true)
	require.True(t, ok)
	mean, whole := 0.0, 0.0
	for _, n := range nodes {
		mean += n.Weight * math.Log(n.Ratio)
		whole += n.Weight
	}
	require.InDelta(t, 1, whole, 1e-9)
	require.InDelta(t, math.Log(3), mean, 0.1)
	_, ok = SplitCentre(before[:5], true)
	require.False(t, ok, "too few looks")
	_, ok = SplitCentre([]Pair{{}, {Exposed: Counts{math.NaN(), 1}}}, true)
	require.False(t, ok)
}
