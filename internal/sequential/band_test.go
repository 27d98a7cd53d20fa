package sequential_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

func TestBandReference(t *testing.T) {
	require.InDelta(t, 0.0820478, sequential.Band(1000, 100, .05), 1e-7)
	// C itself, which the authors give for 5 %.
	band := sequential.Band(1000, 1000, .05) / .85
	require.InDelta(t, 8.122719, 1000*band*band, 1e-5)
}

func TestBandSaysNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tc := range [][3]float64{
		{99, 100, .05},
		{1000, 0, .05},
		{nan, 100, .05},
		{1000, nan, .05},
		{1000, 100, nan},
		{inf, 100, .05},
		{inf, inf, .05},
		{1000, 100, 0},
		{1000, 100, 1},
		{2, 1, .05},
	} {
		require.InDelta(t, 1, sequential.Band(tc[0], tc[1], tc[2]), 0, tc)
	}
}

func TestBandNarrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Float64Range(1, 1e6).Draw(t, "first")
		n := first * rapid.Float64Range(1, 1e6).Draw(t, "times")
		alpha := rapid.Float64Range(1e-12, .999).Draw(t, "alpha")
		band := sequential.Band(n, first, alpha)
		require.Positive(t, band)
		require.LessOrEqual(t, sequential.Band(2*n, first, alpha), band)
		require.GreaterOrEqual(t, sequential.Band(n, first, alpha/2), band)
		// No narrower than the band for one look only (Massart, 1990).
		require.GreaterOrEqual(t, band, min(1, math.Sqrt(math.Log(2/alpha)/2/n)))
	})
}

func TestWorstBound(t *testing.T) {
	fast := sequential.Histogram{Bounds: []float64{.1, .5, 1}, Counts: []float64{5000, 9000, 9900}, Total: 10000}
	slow := sequential.Histogram{Bounds: []float64{.1, .5, 1}, Counts: []float64{2400, 4000, 4950}, Total: 5000}
	at, gap, ok := sequential.WorstBound(slow, fast, 100, .05)
	require.True(t, ok)
	require.Equal(t, 1, at)
	require.InDelta(t, .1-sequential.Band(5000, 100, .025)-sequential.Band(10000, 100, .025), gap, 1e-12)

	_, _, ok = sequential.WorstBound(fast, slow, 100, .05)
	require.False(t, ok, "better is not worse")
	_, _, ok = sequential.WorstBound(slow, fast, 5001, .05)
	require.False(t, ok, "too early")
}

func TestWorstBoundNeedsSoundHistograms(t *testing.T) {
	good := func() sequential.Histogram {
		return sequential.Histogram{Bounds: []float64{.1, .5}, Counts: []float64{9e5, 1e6}, Total: 1e6}
	}
	bad := sequential.Histogram{Bounds: []float64{.1, .5}, Counts: []float64{0, 1e6}, Total: 1e6}
	_, _, ok := sequential.WorstBound(bad, good(), 100, .05)
	require.True(t, ok)
	for name, change := range map[string]func(*sequential.Histogram){
		"other bounds":      func(h *sequential.Histogram) { h.Bounds[1] = .6 },
		"falling counts":    func(h *sequential.Histogram) { h.Counts[1] = 1 },
		"falling bounds":    func(h *sequential.Histogram) { h.Bounds[1] = .05 },
		"more than all":     func(h *sequential.Histogram) { h.Total = 5e5 },
		"no values":         func(h *sequential.Histogram) { h.Total = 0 },
		"a count missing":   func(h *sequential.Histogram) { h.Counts = h.Counts[:1] },
		"no bounds":         func(h *sequential.Histogram) { h.Bounds, h.Counts = nil, nil },
		"no number, count":  func(h *sequential.Histogram) { h.Counts[0] = math.NaN() },
		"no number, total":  func(h *sequential.Histogram) { h.Total = math.NaN() },
		"no number, bound":  func(h *sequential.Histogram) { h.Bounds[0] = math.NaN() },
		"an infinite bound": func(h *sequential.Histogram) { h.Bounds[1] = math.Inf(1) },
		"negative":          func(h *sequential.Histogram) { h.Counts[0] = -5 },
	} {
		h := good()
		change(&h)
		if name != "other bounds" {
			require.Error(t, h.Check(), name)
		}
		_, _, ok := sequential.WorstBound(bad, h, 100, .05)
		require.False(t, ok, name)
		_, _, ok = sequential.WorstBound(h, good(), 100, .05)
		require.False(t, ok, name)
	}
	require.NoError(t, good().Check())
	for _, alpha := range []float64{0, 1, math.NaN()} {
		_, _, ok := sequential.WorstBound(bad, good(), 100, alpha)
		require.False(t, ok, alpha)
	}
}

// Both arms alike, looked at after every 200 values, and the distribution
// function itself.
func TestBandCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	const runs = 500
	bounds := []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9}
	band := map[float64]float64{}
	for n := 200.0; n <= 2000; n += 200 {
		band[n] = sequential.Band(n, 100, .05)
	}
	missed, worse := 0, 0
	for range runs {
		arms := [2]sequential.Histogram{}
		for i := range arms {
			arms[i] = sequential.Histogram{Bounds: bounds, Counts: make([]float64, len(bounds))}
		}
		out, apart := false, false
		for n := 1.0; n <= 2000; n++ {
			for i := range arms {
				x := random.Float64()
				arms[i].Total++
				for j, bound := range bounds {
					if x <= bound {
						arms[i].Counts[j]++
					}
				}
			}
			if int(n)%200 != 0 {
				continue
			}
			for j, bound := range bounds {
				out = out || math.Abs(arms[0].Counts[j]/n-bound) > band[n]
			}
			_, _, ok := sequential.WorstBound(arms[0], arms[1], 100, .05)
			apart = apart || ok
		}
		if out {
			missed++
		}
		if apart {
			worse++
		}
	}
	t.Log("missed", missed, "worse", worse, "of", runs)
	require.LessOrEqual(t, missed, runs/20)
	require.LessOrEqual(t, worse, runs/20)
}

func FuzzBand(f *testing.F) {
	f.Add(1000.0, 100.0, .05, .1, 3.0, 9.0)
	f.Add(1e15, 1.0, 1e-300, -.1, 0.0, 5.0)
	f.Fuzz(func(t *testing.T, n, first, alpha, bound, below, above float64) {
		band := sequential.Band(n, first, alpha)
		require.True(t, band > 0 && band <= 1, band)
		a := sequential.Histogram{Bounds: []float64{bound}, Counts: []float64{below}, Total: n}
		b := sequential.Histogram{Bounds: []float64{bound}, Counts: []float64{above}, Total: n}
		if at, gap, ok := sequential.WorstBound(a, b, first, alpha); ok {
			require.NoError(t, a.Check())
			require.Zero(t, at)
			require.True(t, gap > 0 && gap <= 1, gap)
		}
	})
}
