package sequential

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// wandering draws looks of two arms, of which the rates go up and down by themselves from look to
// look, by a factor of e^by or so.
func wandering(seed uint64, n int, by float64) []Pair {
	src := rand.New(rand.NewPCG(seed, 3))
	arm := func(mean, total float64) Counts {
		rate := mean * math.Exp(by*src.NormFloat64()-by*by/2)
		return Counts{distuv.Poisson{Lambda: rate, Src: src}.Rand(), total}
	}
	var out []Pair
	for range n {
		out = append(out, Pair{Exposed: arm(0.75, 150), Control: arm(14.25, 2850)})
	}
	return out
}

// alarms counts how many of 300 runs, with so many looks before the change and 120 since, are taken
// for harm at a level of 5%, and of 0.1%.
func alarms(before int, draw func(seed uint64, n int) []Pair) (usual, strict int) {
	for seed := range uint64(300) {
		looks := draw(seed, before+120)
		test := NewTwoArms(Question{Start: Start{Looks: 120, First: 0.7}}, looks[:before])
		top := 0.0
		for _, p := range looks[before:] {
			test.See(p)
			top = max(top, test.Evidence())
		}
		if top >= math.Log(20) {
			usual++
		}
		if top >= math.Log(1000) {
			strict++
		}
	}
	return usual, strict
}

// Where nothing changed but chance is not all that is at work, there are no more alarms than
// promised, even if little was seen before. Rates of arms that go up and down by themselves make
// the exposed arm's part of a look's events larger than its share, before the change as well as
// since: bets must know it from before. And bursts that are too small to be sure of must count as
// much as they are likely.
func TestNoHarmIsNoAlarm(t *testing.T) {
	t.Parallel()
	wander := func(by float64) func(uint64, int) []Pair {
		return func(seed uint64, n int) []Pair { return wandering(seed, n, by) }
	}
	noise := func(size float64) func(uint64, int) []Pair {
		return func(seed uint64, n int) []Pair { return noisy(seed, n, size, false) }
	}
	for _, tc := range []struct {
		name   string
		before int
		draw   func(uint64, int) []Pair
	}{
		{"chance", 120, noise(1)},
		{"chance, 40 looks", 40, noise(1)},
		{"φ 2", 120, noise(2)},
		{"φ 2, 40 looks", 40, noise(2)},
		{"φ 8, 40 looks", 40, noise(8)},
		{"rates wander by 0.5", 120, wander(0.5)},
		{"rates wander by 0.5, 40 looks", 40, wander(0.5)},
		{"rates wander by 1", 120, wander(1)},
		{"rates wander by 1, 40 looks", 40, wander(1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			usual, strict := alarms(tc.before, tc.draw)
			t.Log(usual, strict)
			require.LessOrEqual(t, usual, 15, "of 300, at 5%%")
			require.LessOrEqual(t, strict, 1, "of 300, at 0.1%%")
		})
	}
}

func TestSplitCentre(t *testing.T) {
	t.Parallel()
	var before []Pair
	for i := range 40 {
		before = append(before, Pair{Exposed: Counts{float64(2 + i%3), 100}, Control: Counts{10, 1000}})
	}
	nodes, ok := splitCentre(before, true)
	require.True(t, ok)
	mean, whole := 0.0, 0.0
	for _, n := range nodes {
		mean += n.Weight * math.Log(n.Ratio)
		whole += n.Weight
	}
	require.InDelta(t, 1, whole, 1e-9)
	require.InDelta(t, math.Log(3), mean, 0.1)
	_, ok = splitCentre(before[:5], true)
	require.False(t, ok, "too few looks")
	_, ok = splitCentre([]Pair{{}, {Exposed: Counts{math.NaN(), 1}}}, true)
	require.False(t, ok)
}
