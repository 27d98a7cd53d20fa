package sequential

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// noisy draws looks of two arms, of which each event brings others along: size times the variance
// of chance, in each arm for itself, or in both alike.
func noisy(seed uint64, n int, size float64, both bool) []Pair {
	src := rand.New(rand.NewPCG(seed, 11))
	factor := func(mean float64) float64 {
		if size == 1 {
			return 1
		}
		k := mean / (size - 1)
		return distuv.Gamma{Alpha: k, Beta: k, Src: src}.Rand()
	}
	var out []Pair
	for range n {
		a, b := factor(0.75), factor(14.25)
		if both {
			a = b
		}
		out = append(out, Pair{
			Exposed: Counts{distuv.Poisson{Lambda: 0.75 * a, Src: src}.Rand(), 150},
			Control: Counts{distuv.Poisson{Lambda: 14.25 * b, Src: src}.Rand(), 2850},
		})
	}
	return out
}

func TestSuspicion(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0.25, suspicion(nil, true), 1e-9, "nothing is known")
	for _, tc := range []struct {
		name        string
		looks       int
		size        float64
		both        bool
		least, most float64
	}{
		{"chance, 40 looks", 40, 1, false, 0, 0.1},
		{"chance, 120 looks", 120, 1, false, 0, 0.03},
		{"φ 2, 40 looks", 40, 2, false, 0.5, 1},
		{"φ 2, 120 looks", 120, 2, false, 0.9, 1},
		{"φ 8, 40 looks", 40, 8, false, 0.9, 1},
		{"φ 4 in both arms alike", 120, 4, true, 0, 0.25},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mean := 0.0
			for seed := range uint64(200) {
				p := suspicion(noisy(seed, tc.looks, tc.size, tc.both), true)
				require.True(t, p >= 0 && p <= 1, p)
				mean += p / 200
			}
			require.GreaterOrEqual(t, mean, tc.least)
			require.LessOrEqual(t, mean, tc.most)
		})
	}
}
