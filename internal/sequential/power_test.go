package sequential_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

// Seconds until a threshold of 1/20, for tests that know the ratio.
func TestInformationReference(t *testing.T) {
	for _, tc := range []struct{ control, ratio, want float64 }{
		{190, 2, 165.6},
		{190, 3, 50.0},
		{190, 5, 16.3},
		{10, 2, 352.6},
		{10, 3, 114.5},
	} {
		t.Run(fmt.Sprint(tc.control, tc.ratio), func(t *testing.T) {
			traffic := sequential.Traffic{Base: .005, Exposed: 10, Control: tc.control}
			require.InDelta(t, tc.want, math.Log(20)/traffic.Information(tc.ratio), .05)
			seconds, ok := traffic.Delay(tc.ratio, .05, 1)
			require.True(t, ok)
			require.InDelta(t, tc.want, seconds, .05)
			less, ok := traffic.Delay(tc.ratio, .05, .9)
			require.True(t, ok)
			require.InEpsilon(t, tc.want*(.9*math.Log(.9/.05)+.1*math.Log(.1/.95))/math.Log(20), less, 5e-3)
		})
	}
}

// No worse is never shown; nor is anything where something cannot be.
func TestPowerOfNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	good := sequential.Traffic{Base: .005, Exposed: 10, Control: 190}
	for _, ratio := range []float64{1, 0, -1, nan, inf} {
		require.Zero(t, good.Information(ratio), ratio)
		_, ok := good.Delay(ratio, .05, .9)
		require.False(t, ok, ratio)
	}
	for _, odd := range []float64{0, -1, nan, inf} {
		for _, traffic := range []sequential.Traffic{
			{Base: odd, Exposed: 10, Control: 190},
			{Base: .005, Exposed: odd, Control: 190},
			{Base: .005, Exposed: 10, Control: odd},
		} {
			require.Zero(t, traffic.Information(2), traffic)
			_, ok := traffic.Delay(2, .05, .9)
			require.False(t, ok, traffic)
		}
	}
	for _, tc := range [][2]float64{{0, .9}, {1, .9}, {nan, .9}, {.05, nan}, {.05, .05}, {.05, 1.1}} {
		_, ok := good.Delay(2, tc[0], tc[1])
		require.False(t, ok, tc)
	}
}

// More control is more information, and so is a larger ratio.
func TestMoreIsMoreInformation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traffic := sequential.Traffic{
			Base:    rapid.Float64Range(1e-5, .5).Draw(t, "base"),
			Exposed: rapid.Float64Range(.1, 1e4).Draw(t, "exposed"),
			Control: rapid.Float64Range(.1, 1e5).Draw(t, "control"),
		}
		ratio := rapid.Float64Range(1.01, 1000).Draw(t, "ratio")
		more := traffic
		more.Control *= 2
		require.Greater(t, more.Information(ratio), traffic.Information(ratio))
		require.Greater(t, traffic.Information(1.1*ratio), traffic.Information(ratio))
	})
}

// A test that knows the ratio stops, on average, a little after the time that is predicted: by what
// it overshoots the threshold.
func TestDelayBySimulation(t *testing.T) {
	traffic := sequential.Traffic{Base: .005, Exposed: 10, Control: 190}
	const ratio, runs = 3.0, 2000
	random := rand.New(rand.NewPCG(7, 8))
	before, after := 10.0/200, 30.0/220
	rate := traffic.Base * (ratio*traffic.Exposed + traffic.Control)
	total := 0.0
	for range runs {
		evidence, seconds := 0.0, 0.0
		for evidence < math.Log(20) {
			seconds += random.ExpFloat64() / rate
			if random.Float64() < after {
				evidence += math.Log(after / before)
			} else {
				evidence += math.Log((1 - after) / (1 - before))
			}
		}
		total += seconds
	}
	bound, ok := traffic.Delay(ratio, .05, 1)
	require.True(t, ok)
	t.Log("bound", bound, "seen", total/runs)
	require.Greater(t, total/runs, bound)
	require.Less(t, total/runs, 1.25*bound)
}

func FuzzPower(f *testing.F) {
	f.Add(.005, 10.0, 190.0, 2.0, .05)
	f.Add(1e-300, 1e-300, 1e15, 1e15, 1e-300)
	f.Fuzz(func(t *testing.T, base, exposed, control, ratio, alpha float64) {
		traffic := sequential.Traffic{Base: base, Exposed: exposed, Control: control}
		d := traffic.Information(ratio)
		require.True(t, d >= 0 && !math.IsInf(d, 0), d)
		if delay, ok := traffic.Delay(ratio, alpha, .9); ok {
			require.True(t, delay > 0 && delay <= 1e15, delay)
		}
	})
}
