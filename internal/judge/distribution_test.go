package judge

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

func usualBounds() []float64 { return []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5} }

// latencies are n log-normal durations around 100ms, all slow times as long.
func latencies(r *rand.Rand, n int, slow float64) *sequential.Histogram {
	h := &sequential.Histogram{Bounds: usualBounds(), Counts: make([]float64, 6), Total: float64(n)}
	for range n {
		v := 0.1 * slow * math.Exp(0.7*r.NormFloat64())
		for i, b := range h.Bounds {
			if v <= b {
				h.Counts[i]++
			}
		}
	}
	return h
}

// webWorld draws requests of two arms: exposed 60 and control 200 in a look.
type webWorld struct {
	known bool
	// jitter is how the logarithm of each arm's durations differs from look to look,
	// canary how many times as long the exposed arm's always are.
	jitter, canary float64
	// both is how many times as long all take at a look, part how many times as many
	// requests the exposed arm gets, slow what the change does.
	both, part, slow func(i int) float64
}

func (w webWorld) draw(seed uint64) (before, since []Histograms) {
	r := rand.New(rand.NewPCG(seed, 4))
	of := func(f func(int) float64, i int) float64 {
		if f == nil {
			return 1
		}
		return f(i)
	}
	for i := -39; i <= 120; i++ {
		slow := of(w.both, i) * (1 + w.canary) * math.Exp(w.jitter*r.NormFloat64())
		if i > 0 {
			slow *= of(w.slow, i)
		}
		l := Histograms{
			At:      time.Duration(i) * step,
			Exposed: latencies(r, int(60*of(w.part, i)), slow),
			Control: latencies(r, 200, of(w.both, i)*math.Exp(w.jitter*r.NormFloat64())),
		}
		switch {
		case i > 0:
			since = append(since, l)
		case w.known:
			before = append(before, l)
		}
	}
	return before, since
}

// distributed judges to the first FAIL, or the end.
func distributed(c Criteria, before, since []Histograms) (*Distribution, Outcome) {
	j := NewDistribution(c, before)
	return j, all(j, since, c.Bake)
}

// Chance, bursts, canaries that always were slower, shared incidents and shares that
// change take back no more than they may over a whole bake.
func TestDistributionIsRarelyWrong(t *testing.T) {
	t.Parallel()
	incident := func(i int) float64 { return 1 + float64(i/60) }
	ramp := func(i int) float64 { return 1 + 2*float64(max(0, i)/60) }
	for name, test := range map[string]struct {
		world  webWorld
		before bool
		found  int // of 10 at least, where requests take half as long again
	}{
		"nothing known":              {webWorld{}, false, 9},
		"clean":                      {webWorld{known: true}, false, 10},
		"itself, before":             {webWorld{known: true}, true, 9},
		"bursts":                     {webWorld{known: true, jitter: 0.3}, false, 0},
		"bursts, nothing known":      {webWorld{jitter: 0.3}, false, 0},
		"large bursts":               {webWorld{known: true, jitter: 0.7}, false, 0},
		"large bursts, itself":       {webWorld{known: true, jitter: 0.7}, true, 0},
		"bursts, itself":             {webWorld{known: true, jitter: 0.3}, true, 0},
		"always slower":              {webWorld{known: true, canary: 0.2}, false, 0},
		"incident while shares ramp": {webWorld{known: true, both: incident, part: ramp}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := criteria()
			c.Alpha, c.Before = 0.05, test.before
			const bakes = 40
			wrong, found, took := 0, 0, time.Duration(0)
			for seed := range uint64(bakes) {
				before, since := test.world.draw(seed)
				if _, out := distributed(c, before, since); out.Verdict == Fail {
					wrong++
				}
			}
			w := test.world
			w.slow = constant(1.5)
			for seed := range uint64(10) {
				before, since := w.draw(seed)
				if _, out := distributed(c, before, since); out.Verdict == Fail {
					found++
					took += out.At
				}
			}
			t.Log("wrong", wrong, "of", bakes, "found", found, "of 10 after", took/time.Duration(max(1, found)))
			require.LessOrEqual(t, wrong, bakes/20+3)
			require.GreaterOrEqual(t, found, test.found)
		})
	}
}

func TestDistributionVerdicts(t *testing.T) {
	t.Parallel()
	other := func(h *sequential.Histogram) *sequential.Histogram {
		h.Bounds = []float64{0.05, 0.1, 0.3, 0.5, 1, 2.5}
		return h
	}
	for name, test := range map[string]struct {
		world   webWorld
		before  bool
		samples float64
		change  func(i int, l *Histograms)
		cut     int
		verdict Verdict
		words   string
	}{
		"healthy":        {world: webWorld{known: true}, verdict: Pass, words: "slower at no bound, nearest to it at "},
		"slower":         {world: webWorld{known: true, slow: constant(2)}, verdict: Fail, words: "of exposed requests within it, "},
		"faster":         {world: webWorld{known: true, slow: constant(0.5)}, verdict: Pass, words: "slower at no bound"},
		"itself":         {world: webWorld{known: true, slow: constant(2)}, before: true, verdict: Fail, words: "of those before the change (band"},
		"always slower":  {world: webWorld{known: true, canary: 0.3}, verdict: Pass, words: "slower at no bound"},
		"nothing known":  {world: webWorld{slow: constant(2)}, verdict: Fail, words: "too little was seen before the change"},
		"itself unknown": {world: webWorld{}, before: true, verdict: NoData, words: "before the change was not seen"},
		"no control":     {world: webWorld{known: true}, change: func(_ int, l *Histograms) { l.Control = nil }, verdict: NoData, words: "control was not seen"},
		"nothing":        {world: webWorld{known: true}, cut: 120, verdict: NoData, words: "nothing was seen"},
		"ends":           {world: webWorld{known: true}, cut: 20, verdict: Stale, words: "last seen 5m0s ago"},
		"few":            {world: webWorld{known: true}, samples: 1e4, verdict: Unexercised, words: "7,200 requests on the exposed targets, at least 10,000 are needed"},
		"few in control": {world: webWorld{known: true, part: constant(10)}, samples: 5e4, verdict: Unexercised, words: "24,000 requests to compare with, at least 50,000 are needed"},
		"no traffic": {world: webWorld{known: true}, change: func(_ int, l *Histograms) {
			l.Exposed = &sequential.Histogram{Bounds: usualBounds(), Counts: make([]float64, 6)}
		}, verdict: Unexercised, words: "0 requests on the exposed targets"},
		"never together": {world: webWorld{known: true}, change: func(i int, l *Histograms) {
			none := &sequential.Histogram{Bounds: usualBounds(), Counts: make([]float64, 6)}
			if i%2 == 0 {
				l.Exposed = none
			} else {
				l.Control = none
			}
		}, verdict: Unexercised, words: "no look in which both arms had requests"},
		"other bounds": {world: webWorld{known: true}, change: func(_ int, l *Histograms) { other(l.Exposed) }, verdict: NoData, words: "the bounds of buckets differ: exposed targets: 6, of its own 300ms; before the change: 6, of its own 250ms"},
		"other arm":    {world: webWorld{}, change: func(_ int, l *Histograms) { other(l.Control) }, verdict: NoData, words: "control: 6, of its own 300ms; exposed targets: 6, of its own 250ms"},
		"other over time": {world: webWorld{}, change: func(i int, l *Histograms) {
			if i > 60 {
				other(l.Exposed)
				other(l.Control)
			}
		}, verdict: NoData, words: "until now: 6, of its own 250ms"},
		"broken": {world: webWorld{known: true}, change: func(_ int, l *Histograms) { l.Control.Counts[2] = math.NaN() }, verdict: NoData, words: "control was not seen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := criteria()
			c.Before = test.before
			if test.samples > 0 {
				c.MinSamples = test.samples
			}
			before, since := test.world.draw(1)
			since = since[:len(since)-test.cut]
			for i := range since {
				if test.change != nil {
					test.change(i, &since[i])
				}
			}
			_, out := distributed(c, before, since)
			require.Equal(t, test.verdict, out.Verdict, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}

// An arm that always was a little slower is no harm, also where little of the time before
// is known: what it may have been then is allowed.
func TestDistributionOfAShortPast(t *testing.T) {
	t.Parallel()
	wrong := 0
	for seed := range uint64(40) {
		before, since := webWorld{known: true, canary: 0.12, part: constant(4)}.draw(seed)
		c := criteria()
		c.Alpha = 0.05
		_, out := distributed(c, before[len(before)-4:], since)
		if out.Verdict == Fail {
			wrong++
		}
	}
	require.LessOrEqual(t, wrong, 6, "of 40 healthy bakes at 5%%")
	before, since := webWorld{known: true, canary: 0.12, part: constant(4), slow: constant(2)}.draw(1)
	_, out := distributed(criteria(), before[len(before)-4:], since)
	require.Equal(t, Fail, out.Verdict, out.Evidence)
}

// The evidence names the bound, both shares and the band, and is the same ever after.
func TestDistributionEvidence(t *testing.T) {
	t.Parallel()
	before, since := webWorld{known: true, slow: constant(2)}.draw(1)
	j, out := distributed(criteria(), before, since)
	require.Regexp(t, `^slower at (100|250)ms: \d+(\.\d+)?% of exposed requests within it, \d+(\.\d+)?% of control's \(band \d+(\.\d+)?%\), up to \S+% fewer before the change; chance does this in less than \S+% of bakes`, out.Evidence)
	require.LessOrEqual(t, out.P, 0.01)
	require.Greater(t, out.Ratio, 1.0)
	later := j.Outcome(time.Hour)
	require.Equal(t, out.Evidence, later.Evidence)
}

// What was so before the change is named where it weighs.
func TestDistributionSaysWhatWasBefore(t *testing.T) {
	t.Parallel()
	before, since := webWorld{known: true, canary: 0.3, slow: constant(3)}.draw(1)
	_, out := distributed(criteria(), before, since)
	require.Equal(t, Fail, out.Verdict)
	require.Regexp(t, `, up to \d+(\.\d+)?% fewer before the change; chance`, out.Evidence)
}

func TestDistributionAnyInput(t *testing.T) {
	t.Parallel()
	odd := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, 5e-324, 1e15, 1e-9}), rapid.Float64Range(0, 1000))
	arm := rapid.Custom(func(t *rapid.T) *sequential.Histogram {
		h := &sequential.Histogram{Bounds: []float64{0.1, 1}, Counts: rapid.SliceOfN(odd, 2, 2).Draw(t, "counts"), Total: odd.Draw(t, "total")}
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			h.Bounds = rapid.SliceOfN(odd, 0, 3).Draw(t, "bounds")
		case 2:
		default: // one that can be
			h.Counts[0] = rapid.Float64Range(0, 500).Draw(t, "first")
			h.Counts[1] = h.Counts[0] + rapid.Float64Range(0, 500).Draw(t, "second")
			h.Total = h.Counts[1] + rapid.SampledFrom([]float64{0, 1e-9, 1, 1e14}).Draw(t, "rest")
		}
		return h
	})
	rapid.Check(t, func(t *rapid.T) {
		c := criteria()
		c.Before = rapid.Bool().Draw(t, "with before")
		var looks []Histograms
		for i := range rapid.IntRange(0, 40).Draw(t, "looks") {
			l := Histograms{At: time.Duration(i-20) * step, Exposed: arm.Draw(t, "exposed"), Control: arm.Draw(t, "control")}
			looks = append(looks, l)
		}
		c.Bake = 20 * step
		before, since := parted(looks, c.Bake)
		j, out := distributed(c, before, since)
		finite(t, out, j.State())
		if out.Verdict == Pass {
			require.GreaterOrEqual(t, out.Samples, c.MinSamples)
		}
	})
}

// Bounds that cannot be are none, also where there are no values yet: a state with them
// could not be kept.
func TestDistributionOfOddBounds(t *testing.T) {
	t.Parallel()
	for _, bounds := range [][]float64{{1, math.Inf(1)}, {math.NaN(), 1}, {2, 1}} {
		j := NewDistribution(criteria(), nil)
		j.See(Histograms{At: step, Exposed: &sequential.Histogram{Bounds: bounds, Counts: []float64{0, 0}}})
		require.Zero(t, j.State(), bounds)
		_, err := json.Marshal(j.State())
		require.NoError(t, err)
	}
}

func TestDistributionStateIsAllThatMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := criteria()
		c.Alpha, c.Before = 0.05, rapid.Bool().Draw(t, "with before")
		w := webWorld{known: rapid.Bool().Draw(t, "known"), jitter: 0.1, slow: constant(rapid.SampledFrom([]float64{1, 1.5, 3}).Draw(t, "slow"))}
		before, since := w.draw(rapid.Uint64().Draw(t, "seed"))
		for i := 5; i < 50; i += 13 {
			since[i].Exposed = nil
		}
		stateIsAll(t, func() kept[Histograms, DistributionState] { return NewDistribution(c, before) }, since[:50])
	})
}

func TestDistributionStateOfOtherBoundsIsRefused(t *testing.T) {
	t.Parallel()
	before, since := webWorld{known: true}.draw(1)
	j := NewDistribution(criteria(), before)
	j.See(since[0])
	s := j.State()
	s.Bounds = s.Bounds[1:]
	require.False(t, NewDistribution(criteria(), before).Restore(s))
}
