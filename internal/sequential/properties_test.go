package sequential

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

func drawLooks(t *rapid.T, name string, most int) []Pair {
	arm := rapid.Custom(func(t *rapid.T) Counts {
		total := rapid.IntRange(1, 2000).Draw(t, "total")
		return Counts{float64(rapid.IntRange(0, min(total, 30)).Draw(t, "bad")), float64(total)}
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Pair {
		return Pair{Exposed: arm.Draw(t, "exposed"), Control: arm.Draw(t, "control")}
	}), 1, most).Draw(t, name)
}

// More bad events on the exposed arm, and as many on the other, are more evidence of harm, and less
// of health.
func TestMoreHarmIsMoreEvidence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		looks := drawLooks(t, "looks", 20)
		at := rapid.IntRange(0, len(looks)-1).Draw(t, "at")
		more := rapid.Float64Range(0, 50).Draw(t, "more")
		q := Question{Worse: rapid.Float64Range(0, 2).Draw(t, "worse"), Enough: 2, Start: Start{Looks: 20, First: 0.7}}
		less, worse := NewTwoArms(q, nil), NewTwoArms(q, nil)
		grid, worseGrid := NewGrid(1, Ratios(), Equal(7), q.Start), NewGrid(1, Ratios(), Equal(7), q.Start)
		for i, p := range looks {
			less.See(p)
			grid.See(p)
			if i == at {
				p.Exposed.Bad += more
			}
			worse.See(p)
			worseGrid.See(p)
		}
		require.GreaterOrEqual(t, worseGrid.Evidence(), grid.Evidence()-1e-9)
		require.GreaterOrEqual(t, worse.Evidence(), less.Evidence()-1e-9)
		if less.Seen().bad() > 0 {
			require.GreaterOrEqual(t, worse.Ratio(), less.Ratio()-1e-9)
		}
	})
}

// The likelihood does not care how time is cut: a look and its two halves, with the same shares,
// are the same evidence.
func TestSplittingALookChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole, halves := NewGrid(1, Ratios(), Equal(7), Start{}), NewGrid(1, Ratios(), Equal(7), Start{})
		for _, p := range drawLooks(t, "looks", 20) {
			whole.See(p)
			part := rapid.Float64Range(0.1, 0.9).Draw(t, "part")
			bad := float64(rapid.IntRange(0, 4).Draw(t, "exposed bad in the first")) / 4
			other := float64(rapid.IntRange(0, 4).Draw(t, "control bad in the first")) / 4
			first := Pair{Counts{p.Exposed.Bad * bad, p.Exposed.Total * part}, Counts{p.Control.Bad * other, p.Control.Total * part}}
			halves.See(first)
			halves.See(Pair{
				Counts{p.Exposed.Bad - first.Exposed.Bad, p.Exposed.Total - first.Exposed.Total},
				Counts{p.Control.Bad - first.Control.Bad, p.Control.Total - first.Control.Total},
			})
		}
		require.InDelta(t, whole.Evidence(), halves.Evidence(), 1e-6*max(1, math.Abs(whole.Evidence())))
	})
}

// Shares that change as stages ramp, and rates that change for both arms, are no harm.
func TestValidWhenSharesAndRatesChange(t *testing.T) {
	t.Parallel()
	const runs = 1000
	alarms := 0
	for run := range runs {
		src := rand.New(rand.NewPCG(uint64(run), 5))
		look := func(i int) Pair {
			share := 0.01 + 0.5*float64(max(0, i))/120
			rate := 0.01 * (1 + math.Sin(float64(i)/20)*0.9)
			arm := func(total float64) Counts {
				return Counts{distuv.Poisson{Lambda: total * rate, Src: src}.Rand(), total}
			}
			return Pair{Exposed: arm(2000 * share), Control: arm(2000 * (1 - share))}
		}
		var before []Pair
		for i := range 120 {
			before = append(before, look(i-120))
		}
		test := NewTwoArms(Question{Start: Start{Looks: 120, First: 0.7}}, before)
		for i := range 120 {
			if test.See(look(i)); test.Evidence() >= math.Log(20) {
				alarms++
				break
			}
		}
	}
	require.LessOrEqual(t, alarms, runs*5/100)
}

// Whatever is seen, evidence is a number.
func FuzzTwoArms(f *testing.F) {
	f.Add(1.0, 10.0, 2.0, 100.0, 3.0, 10.0, 2.0, 100.0, 0.2)
	f.Add(math.NaN(), math.Inf(1), -1.0, 0.0, 1e308, 1e-308, 5e-324, 1e15, math.NaN())
	f.Add(0.0, 1e-9, 1e15, 1e15, 1e15, 1e15, 0.0, 1e-9, 10.0)
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g, h, i, worse float64) {
		if !(worse >= 0 && worse <= 10) {
			worse = 0
		}
		before, now := Pair{Counts{a, b}, Counts{c, d}}, Pair{Counts{e, g}, Counts{h, i}}
		test := NewTwoArms(Question{Worse: worse, Enough: 2, Start: Start{Looks: 5, First: 0.7}}, []Pair{before, now, before, before})
		for range 5 {
			test.See(now, before)
			for _, v := range []float64{test.Evidence(), test.Shown(), test.Ratio(), test.Dispersion().Factor} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%v of %+v, then %+v", v, before, now)
				}
			}
		}
	})
}
