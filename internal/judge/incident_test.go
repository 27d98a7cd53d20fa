package judge

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// six are looks of 6 h before the change and 30 min since, the exposed arm with so many times the
// errors as factor says, and the control as other says.
func six(seed uint64, factor, other func(look int) float64) (before, since []ArmCounts) {
	src := rand.NewPCG(seed, 4)
	for i := 1 - 1440; i <= 120; i++ {
		l := ArmCounts{
			At:      time.Duration(i) * step,
			Exposed: counts(bursty(src, 0.75*factor(i), 1), 150), Control: counts(bursty(src, 14*other(i), 1), 2850),
		}
		if i <= 0 {
			before = append(before, l)
		} else {
			since = append(since, l)
		}
	}
	return before, since
}

// One incident of one arm in the past does not hide harm for hours; what comes again and again is
// what chance does, and what lasts to the change may go on after it.
func TestAStainedPast(t *testing.T) {
	t.Parallel()
	during := func(from, to int) func(int) float64 {
		return func(i int) float64 {
			if i > from && i <= to {
				return 10
			}
			return 1
		}
	}
	with := func(of func(int) float64, harm float64) func(int) float64 {
		return func(i int) float64 {
			if i > 0 {
				return harm
			}
			return of(i)
		}
	}
	hourly := func(i int) float64 { return 1 + 9*float64((i+2400)%240/220) }
	c := criteria()
	c.Alpha, c.Traffic = 0.001, 0
	for name, test := range map[string]struct {
		exposed, control func(int) float64
		fails            bool
		words            string
	}{
		"healthy":                  {with(during(-500, -420), 1), constant(1), false, ""},
		"harm":                     {with(during(-500, -420), 5), constant(1), true, ", by 6h of past without an incident in 1h"},
		"harm, control's incident": {constant(1), with(during(-500, -420), 1), false, ""},
		"harm after that":          {with(constant(1), 5), during(-500, -420), true, "without an incident in"},
		"harm, both had it":        {with(during(-500, -420), 5), during(-500, -420), true, ", by 6h of past"},
		"never was":                {with(constant(1), 5), constant(1), true, ", by 6h of past"},
		"hourly":                   {hourly, constant(1), false, ""},
		"since an hour before":     {with(during(-240, 0), 10), constant(1), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, since := six(1, test.exposed, test.control)
			out := Run(c, append(before, since...))
			require.Equal(t, test.fails, out.Verdict == Fail, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}

// short are looks of so many minutes before the change and 20 since, at 1% errors. The exposed arm,
// or the control, had fifty times as many for 3 minutes, up to so many looks before the change;
// since then the exposed arm has so many times as many as harm says.
func short(minutes, ago int, control bool, harm func(look int) float64) (before, since []ArmCounts) {
	src := rand.NewPCG(uint64(minutes), uint64(ago))
	for i := 1 - 4*minutes; i <= 80; i++ {
		exposed, other := 1.0, 1.0
		switch incident := i > -ago-12 && i <= -ago; {
		case i > 0:
			exposed = harm(i)
		case incident && control:
			other = 50
		case incident:
			exposed = 50
		}
		l := ArmCounts{
			At:      time.Duration(i) * step,
			Exposed: counts(bursty(src, 1.5*exposed, 1), 150), Control: counts(bursty(src, 14*other, 1), 1400),
		}
		if i <= 0 {
			before = append(before, l)
		} else {
			since = append(since, l)
		}
	}
	return before, since
}

// However recent an incident was, and however short the past: harm that only it hides does not pass
// the gate. Healthy targets do, and so does what one more such incident explains.
func TestAnIncidentHidesNoHarm(t *testing.T) {
	t.Parallel()
	again := func(i int) float64 {
		if i > 10 && i <= 22 {
			return 50
		}
		return 1
	}
	late := func(i int) float64 {
		if i > 20 {
			return 10
		}
		return 1
	}
	const only = " is the only reason why this is not harm: without it, this is "
	comparison, before, objective := Criteria{Worse: 0.2}, Criteria{Worse: 0.2, Before: true}, Criteria{Objective: 0.98, Burn: 1}
	for name, test := range map[string]struct {
		Criteria
		minutes, ago int
		control      bool
		harm         func(int) float64
		words        string // empty where it passes
	}{
		"6 h, 5 min before":    {comparison, 360, 20, false, constant(10), "an incident of the exposed targets from 8m to 5m before the change (5"},
		"6 h, 20 min before":   {comparison, 360, 80, false, constant(10), only + "9"},
		"an hour of past":      {comparison, 60, 120, false, constant(10), "from 33m to 30m before the change"},
		"20 min of past":       {comparison, 20, 20, false, constant(10), only},
		"10 min of past":       {comparison, 10, 16, false, constant(10), only},
		"up to the change":     {comparison, 60, 0, false, constant(10), "of the exposed targets from 3m up to the change ("},
		"2 times":              {comparison, 60, 20, false, constant(2.2), only + "2"},
		"late":                 {comparison, 60, 20, false, late, only},
		"control's incident":   {comparison, 60, 20, true, constant(10), "an incident of control from 8m to 5m before the change ("},
		"before":               {before, 60, 20, false, constant(10), " times the usual)" + only + "1"},
		"objective":            {objective, 60, 20, false, constant(10), " times the limit"},
		"healthy":              {comparison, 60, 20, false, constant(1), ""},
		"healthy, 20 min":      {comparison, 20, 20, false, constant(1), ""},
		"healthy, before":      {before, 60, 20, false, constant(1), ""},
		"healthy, objective":   {objective, 60, 20, false, constant(1), ""},
		"one more such":        {comparison, 60, 20, false, again, ""},
		"one more such, 6 h":   {comparison, 360, 20, false, again, ""},
		"one more, before":     {before, 60, 20, false, again, ""},
		"healthy, control's":   {comparison, 60, 20, true, constant(1), ""},
		"healthy, 10 min":      {comparison, 10, 16, false, constant(1), ""},
		"healthy, just before": {comparison, 60, 0, false, constant(1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := test.Criteria
			c.Alpha, c.Every, c.Bake, c.Hold, c.MinSamples = 0.001, step, 10*time.Minute, 5*time.Minute, 100
			past, now := short(test.minutes, test.ago, test.control, test.harm)
			passed, failed, out := held(c, past, now)
			require.False(t, failed, out.Evidence)
			require.Equal(t, test.words == "", passed, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
			if !passed {
				require.Contains(t, out.Evidence, only)
				require.Regexp(t, `^\d\S* times the (usual|limit) but for an incident before$`, out.Suspicion)
			}
		})
	}
}

// What hides harm is known from the past alone: a judge that goes on from its state says the same.
func TestAnIncidentNeedsNoState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := criteria()
		c.Traffic, c.Enough, c.Risk = 0, 2, 0.05
		past, now := short(20, 20, false, constant(rapid.SampledFrom([]float64{1, 10}).Draw(t, "harm")))
		stateIsAll(t, func() kept[ArmCounts, ComparisonState] { return oneByOne{newComparison(c, past)} }, now)
	})
}

// A bake that ends once enough is shown does not end early on harm that an incident hides.
func TestAnIncidentHidesNoHarmEarly(t *testing.T) {
	t.Parallel()
	c := criteria()
	c.Traffic, c.Enough, c.Risk, c.Alpha = 0, 2, 0.05, 0.001
	past, now := short(20, 20, false, constant(5))
	out := Run(c, append(past, now...))
	require.NotEqual(t, Pass, out.Verdict, out.Evidence)
}
