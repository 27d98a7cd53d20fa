package judge

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

// arrivals are so many looks of about so many requests, which come in bursts of a size.
func arrivals(random *rand.Rand, looks int, mean, size float64) []float64 {
	out := make([]float64, looks)
	for i := range out {
		for n := random.ExpFloat64(); n < mean/size; n += random.ExpFloat64() {
			out[i] += size
		}
	}
	return out
}

func TestBurstsOfRequests(t *testing.T) {
	t.Parallel()
	burstsOf := func(own, others []float64, two bool) float64 {
		return UnsteadyOf(own, others, step, time.Minute, !two).Bursts
	}
	random := rand.New(rand.NewPCG(3, 4))
	few, many := arrivals(random, 60, 100, 1), arrivals(random, 60, 900, 1)
	require.InDelta(t, 1, burstsOf(few, many, true), 1)
	bunched := burstsOf(arrivals(random, 60, 100, 10), arrivals(random, 60, 900, 10), true)
	require.Greater(t, bunched, 6.0)
	require.Less(t, bunched, 20.0)
	require.Greater(t, burstsOf(arrivals(random, 60, 100, 10), nil, false), 6.0)
	require.InDelta(t, sequential.UsualBurst, burstsOf(nil, nil, true), 0)
	require.InDelta(t, sequential.UsualBurst, burstsOf(few[:2], many[:2], true), 0, "two looks tell nothing")
	require.GreaterOrEqual(t, burstsOf(nil, nil, false), 1.0)
}

// The fewer are left of the same requests, the less is it chance; bursts make it likelier.
func TestFewByChance(t *testing.T) {
	t.Parallel()
	fewByChance := func(own, all, p, bursts float64) float64 { return Unsteady{Bursts: bursts}.fewByChance(own, all, p) }
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.IntRange(1, 1e6).Draw(t, "all")
		p := rapid.Float64Range(0.001, 0.999).Draw(t, "p")
		mine := rapid.IntRange(0, all).Draw(t, "mine")
		fewer := rapid.IntRange(0, mine).Draw(t, "fewer")
		one := fewByChance(float64(mine), float64(all), p, 1)
		require.True(t, one >= 0 && one <= 1)
		require.LessOrEqual(t, fewByChance(float64(fewer), float64(all), p, 1), one*(1+1e-6)+1e-12)
	})
	require.InDelta(t, 1, fewByChance(50, 100, 0.4, 1), 0)
	require.InDelta(t, 0.9*0.9*0.9*0.9*0.9*0.9*0.9*0.9*0.9*0.9, fewByChance(0, 10, 0.1, 1), 1e-9)
	require.Greater(t, fewByChance(0, 100, 0.1, 4), fewByChance(0, 100, 0.1, 1))
}

// A target that had requests and has none is dark, unless it has so few clients that all may leave
// it: then shares wander, and targets differ.
func TestDark(t *testing.T) {
	t.Parallel()
	even := map[string]float64{"a": 500, "b": 480, "c": 510, "d": 505, "e": 490, "f": 500}
	uneven := map[string]float64{"a": 500, "b": 100, "c": 900, "d": 300, "e": 700, "f": 500}
	now := map[string]float64{"a": 0, "b": 250, "c": 250, "d": 250, "e": 0}
	for name, test := range map[string]struct {
		before   map[string]float64
		unsteady Unsteady
		times    float64
		want     []string
	}{
		"steady":               {even, Unsteady{}, 0.5, []string{"a", "e"}},
		"uneven":               {uneven, Unsteady{}, 0.5, []string{"a", "e"}},
		"all go up and down":   {even, Unsteady{Wander: 0.5}, 0.5, []string{"a", "e"}},
		"few clients":          {uneven, Unsteady{Wander: 0.5}, 0.5, nil},
		"in bursts":            {even, Unsteady{Bursts: 20}, 0.5, nil},
		"a short time":         {even, Unsteady{}, 0.02, nil},
		"two that may differ":  {map[string]float64{"a": 500, "b": 500}, Unsteady{Wander: 0.5}, 0.5, nil},
		"two that are steady":  {map[string]float64{"a": 500, "b": 500}, Unsteady{Wander: 0.05}, 0.5, []string{"a"}},
		"nothing known before": {nil, Unsteady{}, 0.5, nil},
	} {
		got := slices.Sorted(maps.Keys(test.unsteady.Dark(test.before, now, test.times, 1e-6)))
		require.Equal(t, test.want, got, name)
	}
}

// Monitors, and a rollout's own probes, go on asking a target that serves nobody else.
func TestDarkWithMonitors(t *testing.T) {
	t.Parallel()
	before := map[string]float64{"a": 5000, "b": 5000, "c": 5000, "d": 30}
	now := map[string]float64{"a": 20, "b": 500, "c": 2600, "d": 1}
	require.Equal(t, []string{"a"}, slices.Collect(maps.Keys(Unsteady{}.Dark(before, now, 0.5, 1e-6))))
}
