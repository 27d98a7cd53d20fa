package sequential

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// bunched draws looks of two arms whose rates, each for itself, are five times as high for so many
// looks now and then; 0 is never.
func bunched(seed uint64, n, last int) []Pair {
	r := rand.New(rand.NewPCG(seed, 7))
	left := [2]int{}
	var out []Pair
	for range n {
		rate := [2]float64{1, 1}
		for arm := range left {
			if last > 0 && left[arm] == 0 && r.Float64() < 0.03 {
				left[arm] = last
			}
			if left[arm] > 0 {
				left[arm]--
				rate[arm] = 5
			}
		}
		out = append(out, Pair{
			Exposed: Counts{distuv.Poisson{Lambda: 3 * rate[0], Src: r}.Rand(), 100},
			Control: Counts{distuv.Poisson{Lambda: 30 * rate[1], Src: r}.Rand(), 1000},
		})
	}
	return out
}

func TestRhythm(t *testing.T) {
	t.Parallel()
	spans := func(last int) map[int]int {
		out := map[int]int{}
		for seed := range uint64(200) {
			_, span := BurstSpan(bunched(seed, 120, last))
			out[span]++
		}
		return out
	}
	calm, short, long := spans(0), spans(1), spans(8)
	require.Greater(t, calm[1], 190, "%v", calm)
	require.Greater(t, short[1], 190, "bursts within a look: %v", short)
	require.Less(t, long[1], 10, "%v", long)
	require.Greater(t, long[16]+long[32], 150, "%v", long)

	_, span := BurstSpan(nil)
	require.Equal(t, 1, span)
	d, span := BurstSpan(make([]Pair, 100))
	require.Equal(t, 1, span)
	require.False(t, d.Known())
	_, span = BurstSpan(bunched(1, 7, 4))
	require.Equal(t, 1, span, "too few to tell")
}

// Bursts that last and that were there before the change are no harm.
func TestLastingBurstsAreNoHarm(t *testing.T) {
	t.Parallel()
	failed := 0
	for seed := range uint64(200) {
		looks := bunched(seed, 240, 4)
		arms := NewTwoArms(Question{Start: Start{Looks: 120, First: 0.7}}, looks[:120])
		for _, p := range looks[120:] {
			arms.See(p)
			if arms.Evidence() > 3 {
				failed++
				break
			}
		}
	}
	require.Less(t, failed, 24, "of 200")
}

// What was seen of a bet that is not complete belongs to the state.
func TestStateBetweenBets(t *testing.T) {
	t.Parallel()
	looks := bunched(3, 240, 8)
	calm := NewTwoArms(Question{}, looks[:120])
	require.Greater(t, calm.Span(), 1)
	shaken := NewTwoArms(Question{}, looks[:120])
	for _, p := range looks[120:] {
		calm.See(p)
		raw, err := json.Marshal(shaken.State())
		require.NoError(t, err)
		var s TwoArmsState
		require.NoError(t, json.Unmarshal(raw, &s))
		shaken = NewTwoArms(Question{}, looks[:120])
		require.True(t, shaken.Restore(s))
		shaken.See(p)
		require.InDelta(t, calm.Evidence(), shaken.Evidence(), 1e-9)
	}
}

// A state of v0.1.0 does not say what would be fair: the arms' shares over all looks tell.
func TestStateOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	q := Question{Worse: 0.2}
	arms := NewTwoArms(q, nil)
	for range 30 {
		arms.See(Pair{Counts{2, 1000}, Counts{6, 3000}})
	}
	s := arms.State()
	s.Fair = 0
	old := NewTwoArms(q, nil)
	require.True(t, old.Restore(s))
	for range 2 {
		require.InDelta(t, arms.Naive(), old.Naive(), 1e-9)
		require.InDelta(t, arms.Least(1, 1), old.Least(1, 1), 1e-9)
		arms.See(Pair{Counts{9, 1000}, Counts{3, 1000}})
		old.See(Pair{Counts{9, 1000}, Counts{3, 1000}})
	}
}

func TestBetOnSums(t *testing.T) {
	t.Parallel()
	a, b := Pair{Counts{2, 10}, Counts{1, 30}}, Pair{Counts{0, 10}, Counts{5, 20}}
	bets := newBets(1, Start{}, 2)
	bets.See(a)
	require.InDelta(t, 0, bets.Evidence(), 1e-12)
	bets.See(b)
	gain := 2/(3*10/40.+5*10/30.) - 1
	var want []float64
	for _, s := range stakes() {
		want = append(want, 1+s*gain)
	}
	mean := 0.0
	for _, w := range want {
		mean += w / float64(len(want))
	}
	require.InDelta(t, 1, math.Exp(bets.Evidence())/mean, 1e-12)
}

func TestLimitOfOneLook(t *testing.T) {
	t.Parallel()
	g := NewGrid(1, Ratios(), Equal(7), Start{})
	g.Limit(2)
	for i := 1; i <= 5; i++ {
		g.See(Pair{Counts{1000, 10}, Counts{0, 10}})
		require.InDelta(t, 2*float64(i), g.Evidence(), 1e-9)
	}
}
