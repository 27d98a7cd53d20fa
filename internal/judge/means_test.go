package judge

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

// fleetWorld draws numbers of targets that differ for good, each of which wanders: what it shows is
// like what it showed before (an autoregression of .9).
type fleetWorld struct {
	exposed, control int
	known            bool
	// skew is the spread of the logarithms of what the targets are like for good, and bigger by how
	// much the exposed ones are.
	skew, bigger float64
	// swing is what all do together at a look, factor what the change does.
	swing, factor func(i int) float64
}

func (w fleetWorld) draw(seed uint64) (before, since []Numbers) {
	r := rand.New(rand.NewPCG(seed, 3))
	n := w.exposed + w.control
	level, wander := make([]float64, n), make([]float64, n)
	for i := range level {
		level[i] = 100 * math.Exp(w.skew*r.NormFloat64())
		if i < w.exposed {
			level[i] *= 1 + w.bigger
		}
		wander[i] = r.NormFloat64()
	}
	for look := -39; look <= 120; look++ {
		numbers := make([]float64, n)
		for i := range numbers {
			wander[i] = 0.9*wander[i] + math.Sqrt(1-0.81)*r.NormFloat64()
			numbers[i] = level[i] * (1 + 0.1*wander[i])
			if w.swing != nil {
				numbers[i] *= w.swing(look)
			}
			if i < w.exposed && look > 0 && w.factor != nil {
				numbers[i] *= w.factor(look)
			}
		}
		l := Numbers{At: time.Duration(look) * step, Exposed: numbers[:w.exposed], Control: numbers[w.exposed:]}
		switch {
		case look > 0:
			since = append(since, l)
		case w.known:
			before = append(before, l)
		}
	}
	return before, since
}

// lower are criteria of a drop of 5%, and of a rise if it is not below 0.
func lower(alpha float64) MeansCriteria {
	c := MeansCriteria{Criteria: criteria(), Drop: 0.05, Rise: -1}
	c.Alpha, c.MinSamples = alpha, 30
	return c
}

// means judges to the first FAIL, or the end, as RunMeans does.
func means(c MeansCriteria, before, since []Numbers) (*MeansJudge, Outcome) {
	j := NewMeansJudge(c, before)
	for _, l := range since {
		if j.See(l); j.harm() {
			return j, j.Outcome(l.At)
		}
	}
	return j, j.Outcome(c.Bake)
}

// Targets that differ for good and wander take back no more than they may over a whole bake,
// whatever all do together; a fifth less is found.
func TestMeansAreRarelyWrong(t *testing.T) {
	t.Parallel()
	day := func(i int) float64 { return 1.5 + math.Sin(float64(i)/30) }
	for name, test := range map[string]struct {
		world fleetWorld
		found int // of 20 at least
	}{
		"5 of 55, nothing known":   {fleetWorld{exposed: 5, control: 50, skew: 0.2}, 0},
		"5 of 55":                  {fleetWorld{exposed: 5, control: 50, skew: 0.2, known: true}, 15},
		"skewed, nothing known":    {fleetWorld{exposed: 5, control: 50, skew: 1}, 0},
		"skewed":                   {fleetWorld{exposed: 5, control: 50, skew: 1, known: true}, 0},
		"10 of 20":                 {fleetWorld{exposed: 10, control: 10, skew: 0.2, known: true}, 18},
		"day and night":            {fleetWorld{exposed: 10, control: 50, skew: 0.2, known: true, swing: day}, 18},
		"exposed ones are larger":  {fleetWorld{exposed: 10, control: 50, skew: 0.5, bigger: 1, known: true, swing: day}, 15},
		"itself, before":           {fleetWorld{exposed: 20, skew: 0.5, known: true}, 18},
		"all wander for no reason": {fleetWorld{exposed: 50, control: 150, skew: 0.3, known: true}, 20},
	} {
		for _, rise := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", rise ", rise), func(t *testing.T) {
				t.Parallel()
				c, w, factor := lower(0.05), test.world, 0.8
				c.Drop, c.Before = 0, w.control == 0
				if rise {
					c.Drop, c.Rise, factor = -1, 0, 1.25
				}
				const bakes = 80
				wrong, found := 0, 0
				for seed := range uint64(bakes) {
					before, since := w.draw(seed)
					if _, out := means(c, before, since); out.Verdict == Fail {
						wrong++
					}
				}
				w.factor = constant(factor)
				for seed := range uint64(20) {
					before, since := w.draw(seed)
					if _, out := means(c, before, since); out.Verdict == Fail {
						found++
					}
				}
				require.LessOrEqual(t, wrong, bakes/20+3)
				require.GreaterOrEqual(t, found, test.found)
			})
		}
	}
}

// A few targets out of many with very skewed numbers often show less than the others' mean, all of
// them alike: Welch's test alone is wrong in 8% of these bakes.
func TestFewSkewedTargetsAreNoDrop(t *testing.T) {
	t.Parallel()
	for _, exposed := range []int{4, 5} {
		t.Run(fmt.Sprint(exposed), func(t *testing.T) {
			t.Parallel()
			c, wrong := lower(0.05), 0
			c.Drop = 0
			for seed := range uint64(200) {
				before, since := fleetWorld{exposed: exposed, control: 50, skew: 1.5}.draw(seed)
				if _, out := means(c, before, since); out.Verdict == Fail {
					wrong++
				}
			}
			require.LessOrEqual(t, wrong, 10)
		})
	}
}

func TestMeansVerdicts(t *testing.T) {
	t.Parallel()
	usual := fleetWorld{exposed: 10, control: 50, skew: 0.2, known: true}
	with := func(change func(*fleetWorld)) fleetWorld {
		w := usual
		change(&w)
		return w
	}
	lost := with(func(w *fleetWorld) { w.factor = constant(0.7) })
	for name, test := range map[string]struct {
		world   fleetWorld
		change  func(*MeansCriteria)
		cut     int
		verdict Verdict
		words   string
	}{
		"healthy":         {world: usual, verdict: Pass, words: "by control and the time before (50 targets)"},
		"lost":            {world: lost, verdict: Fail, words: "lower, drop of 5% allowed; chance does this in less than"},
		"so much allowed": {world: lost, change: func(c *MeansCriteria) { c.Drop = 0.4 }, verdict: Pass, words: "drop of 40% allowed; no harm"},
		"rise only":       {world: lost, change: func(c *MeansCriteria) { c.Drop, c.Rise = -1, 0.05 }, verdict: Pass, words: "rise of 5% allowed"},
		"risen":           {world: with(func(w *fleetWorld) { w.factor = constant(1.3) }), change: func(c *MeansCriteria) { c.Rise = 0.05 }, verdict: Fail, words: "higher, drop of 5% allowed, rise of 5% allowed"},
		"late":            {world: with(func(w *fleetWorld) { w.factor = func(i int) float64 { return 1 - 0.3*float64(i/61) } }), verdict: Fail, words: "in 27 looks mean"},
		"no past":         {world: with(func(w *fleetWorld) { w.known, w.factor = false, constant(0.5) }), verdict: Fail, words: "of control (50 targets)"},
		"before":          {world: with(func(w *fleetWorld) { w.exposed, w.factor = 20, constant(0.8) }), change: func(c *MeansCriteria) { c.Before = true }, verdict: Fail, words: "before the change: "},
		"before, unknown": {world: with(func(w *fleetWorld) { w.known = false }), change: func(c *MeansCriteria) { c.Before = true }, verdict: NoData, words: "before the change was not seen"},
		"before, few":     {world: usual, change: func(c *MeansCriteria) { c.Before = true }, verdict: Unexercised, words: "10 exposed targets: at least 12 exposed ones are needed"},
		"few targets":     {world: with(func(w *fleetWorld) { w.exposed = 1 }), verdict: Unexercised, words: "1 exposed target and 50 of control: at least 3 exposed ones are needed"},
		"few of both":     {world: with(func(w *fleetWorld) { w.exposed, w.control = 2, 1 }), verdict: Unexercised, words: "at least 7 of each are needed"},
		"no control":      {world: with(func(w *fleetWorld) { w.control = 0 }), verdict: NoData, words: "nothing to compare with: control was not seen"},
		"nobody":          {world: with(func(w *fleetWorld) { w.control, w.exposed = 0, 0 }), verdict: NoData, words: "nothing was seen"},
		"no looks":        {world: usual, cut: 120, verdict: NoData, words: "nothing was seen"},
		"ends":            {world: usual, cut: 20, verdict: Stale, words: "last seen 5m ago"},
		"few numbers":     {world: usual, change: func(c *MeansCriteria) { c.MinSamples = 1e4 }, verdict: Unexercised, words: "1,200 numbers on the exposed targets, at least 10,000 are needed"},
		"no criterion":    {world: usual, change: func(c *MeansCriteria) { c.Drop = -1 }, verdict: NoData, words: "no drop or rise"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := lower(0.01)
			if test.change != nil {
				test.change(&c)
			}
			before, since := test.world.draw(1)
			_, out := means(c, before, since[:len(since)-test.cut])
			require.Equal(t, test.verdict, out.Verdict, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}

func TestMeansOfNegativeNumbers(t *testing.T) {
	t.Parallel()
	for factor, want := range map[float64]Verdict{1: Pass, 1.5: Fail} { // half as much again below zero is lower
		w := fleetWorld{exposed: 10, control: 50, skew: 0.1, known: true, factor: constant(factor), swing: func(int) float64 { return -1 }}
		before, since := w.draw(2)
		_, out := means(lower(0.01), before, since)
		require.Equal(t, want, out.Verdict, out.Evidence)
	}
}

// Numbers that never vary are compared as well as any; rounding is no difference.
func TestMeansThatDoNotVary(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]Verdict{0.1: Pass, 0.05: Fail} {
		c := lower(0.01)
		c.Drop = 0
		j := NewMeansJudge(c, nil)
		var l Numbers
		for i := range 120 {
			l = Numbers{At: time.Duration(i+1) * step}
			for range 60 {
				l.Control = append(l.Control, 0.1)
			}
			for range 10 {
				l.Exposed = append(l.Exposed, value+1e-17*float64(i))
			}
			j.See(l)
		}
		require.Equal(t, want, j.Outcome(l.At).Verdict)
	}
}

func TestMeansShowEnough(t *testing.T) {
	t.Parallel()
	c := lower(0.001)
	c.Enough, c.Risk = 2, 0.05
	w := fleetWorld{exposed: 10, control: 50, skew: 0.2, known: true}
	before, since := w.draw(1)
	_, out := means(c, before, since[:20])
	require.False(t, out.Shown) // it is stale
	j := NewMeansJudge(c, before)
	for _, l := range since[:20] {
		j.See(l)
	}
	out = j.Outcome(since[19].At)
	require.True(t, out.Shown, out.Evidence)
	require.Contains(t, out.Evidence, "shown to be off by less than 2 times")
}

func TestMeansAnyInput(t *testing.T) {
	t.Parallel()
	odd := rapid.OneOf(
		rapid.Float64(),
		rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, 5e-324, 1e100}),
		rapid.Float64Range(-10, 1000),
	)
	arm := rapid.SliceOfN(odd, 0, 14)
	rapid.Check(t, func(t *rapid.T) {
		c := lower(0.05)
		c.Drop, c.Rise, c.Before = odd.Draw(t, "drop"), odd.Draw(t, "rise"), rapid.Bool().Draw(t, "with before")
		c.Enough, c.Risk = 2, 0.05
		var looks []Numbers
		for i := range rapid.IntRange(0, 12).Draw(t, "looks") {
			l := Numbers{At: time.Duration(i-5) * step, Exposed: arm.Draw(t, "exposed"), Control: arm.Draw(t, "control")}
			looks = append(looks, l)
		}
		c.Bake = 8 * step
		before, since := parted(looks, c.Bake)
		j, out := means(c, before, since)
		finite(t, out, j.State())
		if out.Verdict == Pass {
			require.GreaterOrEqual(t, j.State().Used[0], 30)
			require.GreaterOrEqual(t, out.Samples, 2.0)
		}
	})
}

func TestMeansStateIsAllThatMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := lower(0.05)
		c.Rise, c.Enough, c.Risk = 0.1, 2, 0.05
		w := fleetWorld{
			exposed: rapid.IntRange(1, 12).Draw(t, "exposed"), control: rapid.IntRange(0, 30).Draw(t, "control"), skew: 0.3,
			known: rapid.Bool().Draw(t, "known"), factor: constant(rapid.SampledFrom([]float64{0.7, 1, 1.4}).Draw(t, "factor")),
		}
		before, since := w.draw(rapid.Uint64().Draw(t, "seed"))
		stateIsAll(t, func() kept[Numbers, MeansState] { return NewMeansJudge(c, before) }, since[:60])
	})
}

// The state of more targets than are kept is small, too.
func TestMeansStateIsSmall(t *testing.T) {
	t.Parallel()
	before, since := fleetWorld{exposed: 500, control: 500, known: true}.draw(1)
	j := NewMeansJudge(lower(0.01), before)
	for _, l := range since[:119] {
		j.See(l)
	}
	raw, err := json.Marshal(j.State())
	require.NoError(t, err)
	require.Less(t, len(raw), 24<<10)
	require.Contains(t, j.Outcome(since[118].At).Evidence, "71,400 numbers were missing")
	require.False(t, j.Restore(MeansState{Since: [2]sequential.Packed{{1}}}))
}
