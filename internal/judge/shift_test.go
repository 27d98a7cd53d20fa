package judge

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// walk is a number by the minute that wanders by itself: each look remembers the one before.
func walk(r *rand.Rand, looks int, memory, noise float64) []float64 {
	out, x := make([]float64, looks), 0.0
	for i := range out {
		x = memory*x + math.Sqrt(1-memory*memory)*r.NormFloat64()
		out[i] = 100 + noise*x
	}
	return out
}

func shiftOf(before bool, alpha float64) ShiftCriteria {
	return ShiftCriteria{
		Criteria: Criteria{Before: before, Alpha: alpha, Every: time.Minute, Bake: 30 * time.Minute, Hold: 10 * time.Minute}, Drop: 0, Rise: 0,
	}
}

// bakeOf judges a number of one target: so many looks before the change, and the rest after it.
func bakeOf(c ShiftCriteria, values []float64, past int) Outcome {
	j := NewShiftJudge(c, time.Minute, NewPastShift(c, time.Minute, values[:past], nil))
	for i, v := range values[past:] {
		at := time.Duration(i+1) * time.Minute
		j.See(Numbers{At: at, Exposed: []float64{v}})
		if out := j.Outcome(at); out.Verdict == Fail || at >= c.Bake {
			return out
		}
	}
	return j.Outcome(c.Bake)
}

// Numbers that wander by themselves, for longer or shorter, are taken for harm no more often than
// the rate says.
func TestShiftKeepsItsRate(t *testing.T) {
	t.Parallel()
	const bakes, rate = 300, 0.05
	for name, draw := range map[string]func(r *rand.Rand) []float64{
		"noise":           func(r *rand.Rand) []float64 { return walk(r, 1440+30, 0, 10) },
		"wanders, 10 min": func(r *rand.Rand) []float64 { return walk(r, 1440+30, 0.9, 10) },
		"wanders, 1 h":    func(r *rand.Rand) []float64 { return walk(r, 1440+30, 0.98, 10) },
		"short past":      func(r *rand.Rand) []float64 { return walk(r, 90+30, 0.7, 10) },
		"spikes": func(r *rand.Rand) []float64 {
			out := walk(r, 1440+30, 0, 1)
			for i := range out {
				if r.Float64() < 0.01 {
					out[i] *= 20
				}
			}
			return out
		},
		"bursts of 5 min": func(r *rand.Rand) []float64 {
			out := walk(r, 1440+30, 0, 1)
			for at := r.IntN(60); at+5 < len(out); at += 30 + r.IntN(60) {
				for k := range 5 {
					out[at+k] *= 2
				}
			}
			return out
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := 0
			for i := range bakes {
				values := draw(rand.New(rand.NewPCG(1, uint64(i))))
				if bakeOf(shiftOf(true, rate), values, len(values)-30).Verdict == Fail {
					failed++
				}
			}
			require.LessOrEqual(t, float64(failed)/bakes, 1.5*rate)
		})
	}
}

func TestShiftFindsHarm(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(minute int, v float64) float64
		want   Verdict
		by     time.Duration
	}{
		"higher from the first minute": {func(_ int, v float64) float64 { return 1.3 * v }, Fail, 6 * time.Minute},
		"lower from the first minute":  {func(_ int, v float64) float64 { return 0.7 * v }, Fail, 6 * time.Minute},
		"higher after 15 minutes": {func(m int, v float64) float64 {
			if m > 15 {
				return 1.3 * v
			}
			return v
		}, Fail, 30 * time.Minute},
		"one wild look": {func(m int, v float64) float64 {
			if m == 3 {
				return 1000 * v
			}
			return v
		}, Pass, 30 * time.Minute},
		"no change": {func(_ int, v float64) float64 { return v }, Pass, 30 * time.Minute},
		"gone":      {func(int, float64) float64 { return math.NaN() }, NoData, 30 * time.Minute},
		"gone after 10 minutes": {func(m int, v float64) float64 {
			if m > 10 {
				return math.NaN()
			}
			return v
		}, Stale, 30 * time.Minute},
	} {
		values := walk(rand.New(rand.NewPCG(2, 0)), 360+30, 0.5, 3)
		for i := range 30 {
			values[360+i] = tc.change(i+1, values[360+i])
		}
		out := bakeOf(shiftOf(true, 0.001), values, 360)
		require.Equal(t, tc.want, out.Verdict, "%s: %s", name, out.Evidence)
		require.LessOrEqual(t, out.At, tc.by, name)
	}
}

// What comes with the hour is no harm where the day before tells so.
func TestShiftKnowsTheSeason(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 0))
	values := walk(r, 3*1440+30, 0, 1)
	for i := range values {
		if of := i % 1440; of >= 0 && of < 60 { // the hour from the change on, every day
			values[i] *= 1.5
		}
	}
	c := shiftOf(true, 0.001)
	c.Season = []time.Duration{24 * time.Hour, 7 * 24 * time.Hour}
	p := NewPastShift(c, time.Minute, values[:3*1440], nil)
	require.Equal(t, []int{1440}, p.Spans[0].Season)
	require.InDelta(t, 150, p.Spans[0].Usual, 3)
	require.Equal(t, Pass, bakeOf(c, values, 3*1440).Verdict)
	for i := range 30 {
		values[3*1440+i] *= 1.2
	}
	require.Equal(t, Fail, bakeOf(c, values, 3*1440).Verdict)
}

// compared judges one canary beside three control targets, each with a level of its own.
func compared(c ShiftCriteria, canary, other float64) Outcome {
	r := rand.New(rand.NewPCG(4, 0))
	level := []float64{100, 80, 95, 130}
	look := func() Numbers {
		var all []float64
		day := 1 + r.Float64() // all of them go up and down together
		for _, l := range level {
			all = append(all, l*day*(1+0.03*r.NormFloat64()))
		}
		return Numbers{Exposed: all[:1], Control: all[1:]}
	}
	var own []float64
	alike := make([][]float64, 3)
	for range 40 {
		l := look()
		own = append(own, c.Shown(l))
		for k := range alike {
			others := append(append([]float64{}, l.Control[:k]...), l.Control[k+1:]...)
			alike[k] = append(alike[k], c.Shown(Numbers{Exposed: l.Control[k : k+1], Control: others}))
		}
	}
	j := NewShiftJudge(c, time.Minute, NewPastShift(c, time.Minute, own, alike))
	for i := range 30 {
		l := look()
		l.At = time.Duration(i+1) * time.Minute
		l.Exposed[0] *= canary
		l.Control[2] *= other
		j.See(l)
	}
	return j.Outcome(30 * time.Minute)
}

func TestShiftOfOneCanaryBesideThree(t *testing.T) {
	t.Parallel()
	c := shiftOf(false, 0.001)
	c.Drop, c.Rise = -1, 0.5
	for _, tc := range []struct {
		canary, other float64
		want          Verdict
	}{{1, 1, Pass}, {1.2, 1, Pass}, {3, 1, Fail}, {3, 3, Pass}, {0.2, 1, Pass}} {
		out := compared(c, tc.canary, tc.other)
		require.Equal(t, tc.want, out.Verdict, "%+v: %s", tc, out.Evidence)
	}
	require.Contains(t, compared(c, 3, 1).Evidence, "by control and the time before")
	require.Contains(t, compared(c, 3, 1).Evidence, "the nearest control target 1")
}

// Without a past nobody knows how far a number goes by itself.
func TestShiftWithoutAPast(t *testing.T) {
	t.Parallel()
	values := walk(rand.New(rand.NewPCG(5, 0)), 5+30, 0, 1)
	out := bakeOf(shiftOf(true, 0.001), values, 5)
	require.Equal(t, Unexercised, out.Verdict)
	require.Contains(t, out.Evidence, "5 looks of the time before the change showed the number, too little")
	constant := make([]float64, 90)
	out = bakeOf(shiftOf(true, 0.001), constant, 60)
	require.Equal(t, Pass, out.Verdict, out.Evidence)
}

// A ShiftJudge that another worker goes on with decides the same.
func TestShiftState(t *testing.T) {
	t.Parallel()
	c := shiftOf(true, 0.001)
	values := walk(rand.New(rand.NewPCG(6, 0)), 120+30, 0, 3)
	past := NewPastShift(c, time.Minute, values[:120], nil)
	raw, err := json.Marshal(past)
	require.NoError(t, err)
	var kept PastShift
	require.NoError(t, json.Unmarshal(raw, &kept))
	require.Equal(t, past, kept)
	one, other := NewShiftJudge(c, time.Minute, past), NewShiftJudge(c, time.Minute, kept)
	for i, v := range values[120:] {
		l := Numbers{At: time.Duration(i+1) * time.Minute, Exposed: []float64{1.05 * v}}
		one.See(l)
		other.See(l)
		raw, err := json.Marshal(other.State())
		require.NoError(t, err)
		require.Less(t, len(raw), 8000)
		var s ShiftState
		require.NoError(t, json.Unmarshal(raw, &s))
		other = NewShiftJudge(c, time.Minute, kept)
		require.True(t, other.Restore(s))
		require.Equal(t, one.Outcome(l.At), other.Outcome(l.At))
	}
	require.False(t, other.Restore(ShiftState{Since: shiftSeen{Control: make([]float64, 3)}}))
}
