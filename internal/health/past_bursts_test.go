package health

import (
	"math/rand/v2"
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

func TestBurstsOf(t *testing.T) {
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

// Requests that come in bursts are no loss, however few there are; a loss of all of them
// is one.
func TestTrafficInBursts(t *testing.T) {
	const looks, level = 60, 1e-6
	random := rand.New(rand.NewPCG(5, 6))
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	failed, stages := 0, 300
	for range stages {
		own, others := arrivals(random, looks, 20, 8), arrivals(random, looks, 180, 8)
		b := Baseline{From: begin, At: begin.Add(looks * time.Second), Bursts: burstsOf(own, others, true)}
		for i := range own {
			b.Exposed, b.Control = b.Exposed+own[i], b.Control+others[i]
		}
		var r requests
		for range looks {
			r.mine, r.others, r.span = r.mine+arrivals(random, 1, 20, 8)[0], r.others+arrivals(random, 1, 180, 8)[0], r.span+time.Second
			if judgeTraffic(Result{}, b, r, true, level).Verdict == Fail {
				failed++
				break
			}
		}
		gone := judgeTraffic(Result{}, b, requests{others: 180 * looks, span: looks * time.Second}, true, level)
		require.Equal(t, Fail, gone.Verdict, gone.Sentence)
	}
	require.Zero(t, failed, "of %d healthy stages", stages)
}

// The fewer are left of the same requests, the less is it chance; bursts make it likelier.
func TestFewByChance(t *testing.T) {
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
