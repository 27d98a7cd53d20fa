package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// bursty is a Poisson number of events of a dispersion: a negative binomial one where that is above
// 1.
func bursty(src rand.Source, mean, dispersion float64) float64 {
	if mean <= 0 {
		return 0
	}
	if dispersion > 1 {
		mean = distuv.Gamma{Alpha: mean / (dispersion - 1), Beta: 1 / (dispersion - 1), Src: src}.Rand()
	}
	return distuv.Poisson{Lambda: mean, Src: src}.Rand()
}

// lone are looks of the exposed arm with 1% errors, since the change factor as many.
func lone(seed uint64, dispersion float64, known bool, factor func(i int) float64) (before, since []ArmCounts) {
	src := rand.NewPCG(seed, 2)
	for i := -39; i <= 120; i++ {
		l := ArmCounts{At: time.Duration(i) * step}
		if i > 0 {
			l.Exposed = counts(min(300, bursty(src, 3*factor(i), dispersion)), 300)
			since = append(since, l)
		} else if known {
			l.Exposed = counts(min(300, bursty(src, 3, dispersion)), 300)
			before = append(before, l)
		}
	}
	return before, since
}

// lonely are criteria of an objective of 99%.
func lonely(alpha float64) Criteria {
	c := criteria()
	c.Alpha, c.Objective, c.Burn, c.MinSamples = alpha, 0.99, 1, 100
	return c
}

// judgeAlone judges to the first FAIL, or the end, as Run does.
func judgeAlone(c Criteria, before, since []ArmCounts) (objective, Outcome) {
	j := newObjective(c, before)
	for _, l := range since {
		if j.See(l); j.outcome(l.At, false).Verdict == Fail {
			return j, j.Outcome(l.At)
		}
	}
	return j, j.Outcome(c.Bake)
}

func TestObjectiveVerdicts(t *testing.T) {
	t.Parallel()
	late := func(i int) float64 { return 0.3 + 20*float64(i/110) }
	for name, test := range map[string]struct {
		factor    float64
		late      bool
		objective float64
		burn      float64
		cut       int // looks that are left out at the end
		verdict   Verdict
		words     string
	}{
		"kept":              {factor: 1, objective: 0.98, burn: 1, verdict: Pass, words: "98.9% good (bad 388/36,000, between 0.88% and 1.3%), objective 98%, budget burns 0.54 times as fast as allowed (limit 1)"},
		"missed":            {factor: 3, objective: 0.99, burn: 1, verdict: Fail, words: "objective 99%, budget burns"},
		"burns as it may":   {factor: 3, objective: 0.99, burn: 5, verdict: Pass, words: "times as fast as allowed (limit 5)"},
		"burns too fast":    {factor: 8, objective: 0.99, burn: 5, verdict: Fail, words: "(limit 5)"},
		"late":              {late: true, objective: 0.99, burn: 5, verdict: Fail, words: "in the last"},
		"nothing":           {factor: 1, objective: 0.99, burn: 1, cut: 120, verdict: NoData, words: "nothing was seen"},
		"ends":              {factor: 1, objective: 0.98, burn: 1, cut: 20, verdict: Stale, words: "last seen 5m ago"},
		"no objective":      {factor: 1, objective: 0, burn: 1, verdict: NoData, words: "no objective"},
		"all may be bad":    {factor: 1, objective: 0.9, burn: 10, verdict: NoData, words: "no objective that can be missed"},
		"nothing may be":    {factor: 1, objective: 1, burn: 1, verdict: NoData, words: "no objective"},
		"many nines missed": {factor: 1, objective: 0.9999, burn: 1, verdict: Fail, words: "objective 99.99%"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := lonely(0.01)
			c.Objective, c.Burn = test.objective, test.burn
			factor := constant(test.factor)
			if test.late {
				factor = late
			}
			before, since := lone(5, 1, true, factor)
			_, out := judgeAlone(c, before, since[:len(since)-test.cut])
			require.Equal(t, test.verdict, out.Verdict, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}

func TestObjectiveNeedsSamples(t *testing.T) {
	t.Parallel()
	c := lonely(0.01)
	c.MinSamples = 1e6
	before, since := lone(5, 1, true, constant(0.1))
	_, out := judgeAlone(c, before, since)
	require.Equal(t, Unexercised, out.Verdict)
	require.Equal(t, "36,000 events on the exposed targets, at least 1,000,000 are needed", out.Evidence)
}

// The bake ends early only where the share is shown to be low enough, and not where it is as high
// as that.
func TestObjectiveShowsEnough(t *testing.T) {
	t.Parallel()
	early, wrong := 0, 0
	for seed := range uint64(60) {
		for _, world := range []struct {
			factor float64
			count  *int
		}{{0.2, &early}, {2, &wrong}} {
			c := lonely(1e-6)
			c.Enough, c.Risk = 2, 0.05
			before, since := lone(seed, 2, true, constant(world.factor))
			j := newObjective(c, before)
			for _, l := range since[:40] {
				j.See(l)
				if out := j.Outcome(l.At); out.Shown {
					require.Equal(t, Pass, out.Verdict)
					require.Contains(t, out.Evidence, "shown to be less than 2 times the limit")
					*world.count++
					break
				}
			}
		}
	}
	require.Equal(t, 60, early)
	require.LessOrEqual(t, wrong, 3+3)
}

// With the share just at the limit, chance and bursts of errors take back no more than they may
// over a whole bake; three times the limit for the last 20 looks is found.
func TestObjectiveIsRarelyWrong(t *testing.T) {
	t.Parallel()
	const bakes = 120
	for _, known := range []bool{true, false} {
		for _, dispersion := range []float64{1, 2, 5} {
			t.Run(fmt.Sprint("known ", known, ", dispersion ", dispersion), func(t *testing.T) {
				t.Parallel()
				wrong, found := 0, 0
				for seed := range uint64(bakes) {
					before, since := lone(seed, dispersion, known, constant(1))
					if _, out := judgeAlone(lonely(0.05), before, since); out.Verdict == Fail {
						wrong++
					}
					if seed%4 > 0 {
						continue
					}
					before, since = lone(seed, dispersion, known, func(i int) float64 { return 0.5 + 2.5*float64(i/100) })
					if _, out := judgeAlone(lonely(0.05), before, since); out.Verdict == Fail {
						found++
					}
				}
				require.LessOrEqual(t, wrong, bakes/20+5)
				require.GreaterOrEqual(t, found, bakes/4*8/10)
			})
		}
	}
}

// Over all looks together the interval holds the true share.
func TestObjectiveInterval(t *testing.T) {
	t.Parallel()
	for _, dispersion := range []float64{1, 5} {
		left := 0
		for seed := range uint64(60) {
			before, since := lone(seed, dispersion, true, constant(1))
			j := newObjective(lonely(0.05), before)
			for _, l := range since {
				j.See(l)
				if low, high := j.interval(0.05); 0.01 < low || 0.01 > high {
					left++
					break
				}
			}
		}
		require.LessOrEqual(t, left, 3+3)
	}
}

func TestObjectiveAnyInput(t *testing.T) {
	t.Parallel()
	odd := rapid.OneOf(
		rapid.Float64(),
		rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, 5e-324, 1e15}),
		rapid.Float64Range(0, 1000),
	)
	rapid.Check(t, func(t *rapid.T) {
		c := lonely(0.01)
		c.Objective = rapid.OneOf(odd, rapid.Float64Range(0, 1)).Draw(t, "objective")
		c.Burn, c.Enough, c.Risk = odd.Draw(t, "burn"), 2, 0.05
		var looks []ArmCounts
		for i := range rapid.IntRange(0, 40).Draw(t, "looks") {
			l := ArmCounts{At: time.Duration(i-15) * step}
			if rapid.IntRange(0, 9).Draw(t, "seen") > 0 {
				l.Exposed = counts(odd.Draw(t, "bad"), odd.Draw(t, "total"))
			}
			looks = append(looks, l)
		}
		before, since := parted(looks, c.Bake)
		j, out := judgeAlone(c, before, since)
		finite(t, out, j.State())
		low, high := j.interval(0.05)
		require.True(t, 0 <= low && low <= high && high <= 1, "%g to %g", low, high)
		if out.Verdict == Pass {
			require.GreaterOrEqual(t, out.Samples, c.MinSamples)
		}
	})
}

func TestObjectiveStateIsAllThatMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := lonely(0.01)
		c.Enough, c.Risk = 2, 0.05
		before, since := lone(rapid.Uint64().Draw(t, "seed"), 2, rapid.Bool().Draw(t, "known"), constant(rapid.Float64Range(0, 3).Draw(t, "factor")))
		stateIsAll(t, func() kept[ArmCounts, ComparisonState] { return oneByOne{newObjective(c, before).Judge} }, since[:40])
	})
}

// A share that is above the objective as a whole does not pass, also where too little is known of
// bursts for it to be harm.
func TestMissedObjectiveDoesNotPass(t *testing.T) {
	t.Parallel()
	c := Criteria{Objective: 0.99, Burn: 2, Alpha: 0.001, Every: step, Bake: 20 * step, MinSamples: 100}
	for seed := range uint64(40) {
		src := rand.NewPCG(seed, 3)
		var looks []ArmCounts
		for i := 1; i <= 20; i++ {
			looks = append(looks, ArmCounts{At: time.Duration(i) * step, Exposed: counts(distuv.Poisson{Lambda: 72, Src: src}.Rand(), 2390)})
		}
		out := Run(c, looks)
		require.NotEqual(t, Pass, out.Verdict, out.Evidence)
	}
}
