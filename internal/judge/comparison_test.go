package judge

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

const step = 15 * time.Second

func criteria() Criteria {
	return Criteria{Alpha: 0.01, Traffic: 0.0001, Every: step, Bake: 30 * time.Minute, MinSamples: 100}
}

// series is 40 looks before and 120 since the change.
func series(f func(i int) (exposed, control *sequential.Counts)) []ArmCounts {
	var out []ArmCounts
	for i := -39; i <= 120; i++ {
		e, c := f(i)
		out = append(out, ArmCounts{At: time.Duration(i) * step, Exposed: e, Control: c})
	}
	return out
}

func counts(bad, total float64) *sequential.Counts {
	return &sequential.Counts{Bad: bad, Total: total}
}

// drawn is a fleet with 1% errors, exposed to factor as many since the change.
func drawn(seed uint64, factor func(i int) float64) []ArmCounts {
	src := rand.NewPCG(seed, 1)
	return series(func(i int) (*sequential.Counts, *sequential.Counts) {
		f := 1.0
		if i > 0 {
			f = factor(i)
		}
		return counts(distuv.Poisson{Lambda: 3 * f, Src: src}.Rand(), 300), counts(distuv.Poisson{Lambda: 30, Src: src}.Rand(), 3000)
	})
}

func constant(f float64) func(int) float64 { return func(int) float64 { return f } }

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		looks   []ArmCounts
		verdict Verdict
		words   string
	}{
		"healthy":             {drawn(1, constant(1)), Pass, "no harm is established"},
		"better":              {drawn(2, constant(0.2)), Pass, "no harm"},
		"three times as bad":  {drawn(3, constant(3)), Fail, "% of bakes, by 10m of past"},
		"nothing at all":      {series(func(int) (e, c *sequential.Counts) { return nil, nil }), NoData, "nothing was seen"},
		"no looks":            {nil, NoData, "nothing was seen"},
		"only from before":    {drawn(4, constant(1))[:40], NoData, "nothing was seen"},
		"ends early":          {drawn(5, constant(1))[:100], Stale, "last seen 15m ago"},
		"no control":          {series(func(int) (e, c *sequential.Counts) { return counts(3, 300), nil }), NoData, "nothing to compare with"},
		"no traffic anywhere": {series(func(int) (e, c *sequential.Counts) { return counts(0, 0), counts(0, 0) }), Unexercised, "0 events on the exposed"},
		"too little traffic":  {series(func(i int) (e, c *sequential.Counts) { return counts(0, 0.5), counts(0, 3000) }), Unexercised, "60 events on the exposed"},
		"NaN":                 {series(func(int) (e, c *sequential.Counts) { return counts(math.NaN(), 300), counts(3, math.Inf(1)) }), NoData, "nothing was seen"},
		"negative":            {series(func(int) (e, c *sequential.Counts) { return counts(-1, 300), counts(3, 300) }), NoData, "nothing was seen"},
		"more bad than total": {series(func(int) (e, c *sequential.Counts) { return counts(400, 300), counts(3, 300) }), NoData, "nothing was seen"},
		"requests gone": {series(func(i int) (e, c *sequential.Counts) {
			if i > 0 {
				return counts(0, 0), counts(30, 3300)
			}
			return counts(3, 300), counts(30, 3000)
		}), Fail, "0% of all requests, 9.1% before the change"},
		"requests gone late": {series(func(i int) (e, c *sequential.Counts) {
			if i > 100 {
				return counts(0, 3), counts(30, 3297)
			}
			return counts(3, 300), counts(30, 3000)
		}), Fail, "2.3% of all requests, 9.1% before the change; less than 50% is left"},
		"all requests gone": {series(func(i int) (e, c *sequential.Counts) {
			if i > 0 {
				return counts(0, 0), counts(0, 0)
			}
			return counts(3, 300), counts(30, 3000)
		}), Unexercised, "0 events"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := Run(criteria(), test.looks)
			require.Equal(t, test.verdict, out.Verdict, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}

func TestSharedIncidentIsNoHarm(t *testing.T) {
	t.Parallel()
	src := rand.NewPCG(7, 1)
	looks := series(func(i int) (*sequential.Counts, *sequential.Counts) {
		f := 1.0
		if i > 40 && i < 60 {
			f = 10
		}
		return counts(distuv.Poisson{Lambda: 3 * f, Src: src}.Rand(), 300), counts(distuv.Poisson{Lambda: 30 * f, Src: src}.Rand(), 3000)
	})
	require.Equal(t, Pass, Run(criteria(), looks).Verdict)
}

// An incident that both arms share and the exposed one feels more may be taken for harm; that it is
// shared is said.
func TestUnequalIncidentIsSaid(t *testing.T) {
	t.Parallel()
	src := rand.NewPCG(7, 1)
	poisson := func(mean float64) float64 { return distuv.Poisson{Lambda: mean, Src: src}.Rand() }
	out := Run(criteria(), series(func(i int) (*sequential.Counts, *sequential.Counts) {
		f := 1.0
		if i > 40 && i < 60 {
			f = 5
		}
		return counts(poisson(3*f*f), 300), counts(poisson(30*f), 3000)
	}))
	require.Equal(t, Fail, out.Verdict)
	require.Regexp(t, `; control has [2-5]\S* times its own usual, too: both may share an incident`, out.Evidence)
	require.NotContains(t, Run(criteria(), drawn(3, constant(3))).Evidence, "incident")
}

// What changed may be the control alone: that is said.
func TestControlThatGotBetterIsSaid(t *testing.T) {
	t.Parallel()
	src := rand.NewPCG(8, 1)
	poisson := func(mean float64) float64 { return distuv.Poisson{Lambda: mean, Src: src}.Rand() }
	out := Run(criteria(), series(func(i int) (*sequential.Counts, *sequential.Counts) {
		f := 1.0
		if i > 0 {
			f = 0.25
		}
		return counts(poisson(3), 300), counts(poisson(30*f), 3000)
	}))
	require.Equal(t, Fail, out.Verdict)
	require.Regexp(t, `; the exposed targets are as before, it is control that has only 0.\d+ times its own usual$`, out.Evidence)
}

func TestWorseIsTolerated(t *testing.T) {
	t.Parallel()
	c := criteria()
	require.Equal(t, Fail, Run(c, drawn(8, constant(1.8))).Verdict)
	c.Worse = 1
	require.Equal(t, Pass, Run(c, drawn(8, constant(1.8))).Verdict)
}

func TestAgainstBefore(t *testing.T) {
	t.Parallel()
	c := criteria()
	c.Before = true
	alone := func(looks []ArmCounts) []ArmCounts {
		for i := range looks {
			looks[i].Control = nil
		}
		return looks
	}
	for name, test := range map[string]struct {
		looks   []ArmCounts
		verdict Verdict
		words   string
	}{
		"healthy":            {alone(drawn(1, constant(1))), Pass, "vs before the change"},
		"three times as bad": {alone(drawn(3, constant(3))), Fail, "vs before the change"},
		"late":               {alone(drawn(4, func(i int) float64 { return 1 + 4*float64(i/60) })), Fail, "times the usual"},
		"no past":            {alone(drawn(5, constant(3)))[40:], NoData, "before the change was not seen"},
		"never seen":         {alone(series(func(int) (e, c *sequential.Counts) { return nil, nil })), NoData, "nothing was seen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := Run(c, test.looks)
			require.Equal(t, test.verdict, out.Verdict, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}

// A bake in which hardly anybody looked shows nothing, unless harm is plain.
func TestBlindBakes(t *testing.T) {
	t.Parallel()
	seen := func(every int, looks []ArmCounts) []ArmCounts {
		for i := range looks {
			if looks[i].At > 0 && i%every != 0 {
				looks[i].Exposed, looks[i].Control = nil, nil
			}
		}
		return append(looks, ArmCounts{At: 30 * time.Minute, Exposed: counts(3, 300), Control: counts(30, 3000)})
	}
	require.Equal(t, Pass, Run(criteria(), seen(1, drawn(1, constant(1)))).Verdict)
	blind := seen(3, drawn(1, constant(1)))
	out := Run(criteria(), blind)
	require.Equal(t, Unexercised, out.Verdict)
	require.Equal(t, "both arms were seen in 40 of 120 looks, at least half are needed", out.Evidence)
	gone := slices.DeleteFunc(blind, func(l ArmCounts) bool { return l.Exposed == nil })
	require.Equal(t, Unexercised, Run(criteria(), gone).Verdict, "rows that are not there")
	require.Equal(t, Fail, Run(criteria(), seen(3, drawn(1, constant(10)))).Verdict)
}

// What the time of day explains is no harm; more is.
func TestTimeOfDay(t *testing.T) {
	t.Parallel()
	c := criteria()
	c.Before = true
	require.Equal(t, Fail, Run(c, drawn(3, constant(2.5))).Verdict)
	c.Daily = 2.5
	out := Run(c, drawn(3, constant(2.5)))
	require.Equal(t, Pass, out.Verdict, out.Evidence)
	require.Contains(t, out.Evidence, ", 2.5 times that at this time of the day before: ")
	require.Equal(t, Fail, Run(c, drawn(3, constant(7))).Verdict)
	require.Equal(t, Pass, Run(c, drawn(3, constant(1))).Verdict)
	c.Before = false
	require.Equal(t, Fail, Run(c, drawn(3, constant(2.5))).Verdict, "a control knows the time of day itself")
}

func TestObjective(t *testing.T) {
	t.Parallel()
	c := criteria()
	c.Objective, c.Burn = 0.98, 1
	for name, test := range map[string]struct {
		factor  func(int) float64
		burn    float64
		verdict Verdict
		words   string
	}{
		"half of the budget":            {constant(1), 1, Pass, "objective 98%"},
		"twice the budget":              {constant(4), 1, Fail, "budget burns 1.7 times as fast"},
		"twice, where ten is allowed":   {constant(4), 10, Pass, "(limit 10)"},
		"fifteen times, for the last 5": {func(i int) float64 { return 1 + 29*float64(i/100) }, 5, Fail, "(limit 5)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := c
			c.Burn = test.burn
			looks := drawn(11, test.factor)
			for i := range looks {
				looks[i].Control = nil
			}
			out := Run(c, looks)
			require.Equal(t, test.verdict, out.Verdict, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}

// Chance alone takes back no more than it may, with so little of a past.
func TestAgainstBeforeIsRarelyWrong(t *testing.T) {
	t.Parallel()
	c, wrong := criteria(), 0
	c.Before, c.Alpha = true, 0.05
	for seed := range uint64(300) {
		if Run(c, drawn(seed, constant(1))).Verdict == Fail {
			wrong++
		}
	}
	require.LessOrEqual(t, wrong, 15+8)
}

// Harm that is plain does not pass a short bake only because little is known of bursts.
func TestPlainHarmDoesNotPassAFewLooks(t *testing.T) {
	t.Parallel()
	c := criteria()
	c.Alpha, c.MinSamples = 1e-4, 10
	j := newComparison(c, nil)
	var out Outcome
	for i := range 60 {
		at := time.Duration(i+1) * step
		j.See(ArmCounts{At: at, Exposed: counts(10, 40), Control: counts(2, 40)})
		if out = j.Outcome(at); out.Verdict == Fail {
			break
		}
		if i > 2 {
			require.Equal(t, Unexercised, out.Verdict, out.Evidence)
			require.Contains(t, out.Evidence, "more looks tell")
		}
	}
	require.Equal(t, Fail, out.Verdict, out.Evidence)
}

func TestAdaptiveBake(t *testing.T) {
	t.Parallel()
	c := criteria()
	c.Least, c.Enough, c.Risk = time.Minute, 2, 0.05
	out := Run(c, drawn(9, constant(1)))
	require.Equal(t, Pass, out.Verdict)
	require.Less(t, out.At, 10*time.Minute)
	require.Contains(t, out.Evidence, "shown to be less than 2 times worse")
	require.Equal(t, Fail, Run(c, drawn(10, constant(4))).Verdict)
}

// Whatever is read, an outcome is one of the five, its numbers are numbers, and nothing passes
// without enough events.
func TestAnyInput(t *testing.T) {
	t.Parallel()
	odd := rapid.OneOf(
		rapid.Float64(),
		rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, 5e-324, 1e15}),
		rapid.Float64Range(0, 1000),
	)
	arm := rapid.Custom(func(t *rapid.T) *sequential.Counts {
		if rapid.IntRange(0, 9).Draw(t, "seen") == 0 {
			return nil
		}
		return counts(odd.Draw(t, "bad"), odd.Draw(t, "total"))
	})
	rapid.Check(t, func(t *rapid.T) {
		c := criteria()
		c.Enough, c.Risk = 2, 0.05
		n := rapid.IntRange(0, 40).Draw(t, "before")
		var looks []ArmCounts
		for i := range rapid.IntRange(0, 60).Draw(t, "looks") {
			looks = append(looks, ArmCounts{At: time.Duration(i-n) * step, Exposed: arm.Draw(t, "exposed"), Control: arm.Draw(t, "control")})
		}
		out := Run(c, looks)
		for _, v := range []float64{out.LnE, out.Ratio, out.Samples, out.Needed} {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%+v", out)
		}
		require.Contains(t, []Verdict{Pass, Fail, NoData, Stale, Unexercised}, out.Verdict)
		if out.Verdict == Pass {
			require.GreaterOrEqual(t, out.Samples, c.MinSamples)
		}
	})
}

// Looks at the same moment are strata of one look: they count as one, also for when a fault may
// begin.
func TestRunTakesStrataTogether(t *testing.T) {
	t.Parallel()
	var both []ArmCounts
	a, b := drawn(1, constant(1.5)), drawn(2, constant(1.5))
	for i := range a {
		both = append(both, a[i], b[i])
	}
	byLook := newComparison(criteria(), both[:80])
	for i := 80; i < len(both); i += 2 {
		byLook.See(both[i], both[i+1])
		if out := byLook.Outcome(both[i].At); out.Verdict == Fail {
			require.Equal(t, out, Run(criteria(), both))
			return
		}
	}
	require.Equal(t, byLook.Outcome(criteria().Bake), Run(criteria(), both))
}
