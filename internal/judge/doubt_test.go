package judge

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

// quickly are criteria of a stage of ten looks that may hold for twenty more.
func quickly() Criteria {
	return Criteria{Worse: 0.5, Alpha: 0.001 / 3, Every: 3 * time.Second, Bake: 30 * time.Second, Hold: 30 * time.Second, MinSamples: 100}
}

// held judges looks of such a stage: when it first passed, whether it failed, and the outcome.
func held(c Criteria, before, since []ArmCounts) (passed, failed bool, out Outcome) {
	j := New(c, before)
	for _, l := range since {
		j.See(l)
		switch out = j.Outcome(l.At); {
		case out.Verdict == Fail:
			return false, true, out
		case l.At >= c.Bake && out.Verdict == Pass:
			return true, false, out
		}
	}
	return false, false, out
}

// threes are looks of both arms, the exposed one with so many times the errors since.
func threes(seed uint64, before, since int, bad float64, factor float64) (past, now []ArmCounts) {
	src := rand.NewPCG(seed, 9)
	for i := 1 - before; i <= since; i++ {
		f := 1.0
		if i > 0 {
			f = factor
		}
		l := ArmCounts{
			At:      time.Duration(i) * 3 * time.Second,
			Exposed: counts(min(450, bursty(src, bad*f, 1)), 450), Control: counts(bursty(src, 3*bad, 1), 1350),
		}
		if i > 0 {
			now = append(now, l)
		} else {
			past = append(past, l)
		}
	}
	return past, now
}

// With nothing, or next to nothing, known of the past, 5 to 20 times the errors do not pass while
// the stage holds, and hardly ever after it: the arms may have been like that before.
func TestPlainHarmNeverPasses(t *testing.T) {
	t.Parallel()
	late := 0
	for _, before := range []int{0, 1, 4} {
		for _, factor := range []float64{5, 10, 20} {
			found := 0
			for seed := range uint64(40) {
				past, now := threes(seed, before, 30, 2.25, factor)
				passed, failed, out := held(quickly(), past, now)
				if passed {
					late++
					require.Greater(t, out.At, quickly().Bake+quickly().Hold, "%d looks before, %v×: %s", before, factor, out.Evidence)
				}
				if failed {
					found++
				}
			}
			if before == 0 {
				require.Greater(t, found, 33, "%v×", factor)
			}
		}
	}
	require.LessOrEqual(t, late, 4, "of 360")
}

// What is held says what it is above, what it is at least, and what is not known.
func TestHoldsInWords(t *testing.T) {
	t.Parallel()
	j := New(quickly(), nil)
	for i := range 10 {
		j.See(ArmCounts{At: time.Duration(i+1) * 3 * time.Second, Exposed: counts(12, 450), Control: counts(7, 1350)})
	}
	out := j.Outcome(30 * time.Second)
	require.Equal(t, Unexercised, out.Verdict)
	require.Regexp(t, `: 5.\d times the usual \(at least [23].\d, the rest may be chance\), 1.5 allowed; .*`+
		`nothing is known of its past: more looks tell$`, out.Evidence)
	// With a short past, how the arms compared before is not known better after more looks.
	c := quickly()
	c.Hold = 10 * time.Minute
	past, now := threes(0, 6, 120, 1, 5)
	_, _, out = held(c, past, now)
	require.Equal(t, Unexercised, out.Verdict)
	require.Regexp(t, `and 18s of past are too short to tell: a longer past tells, more looks may not$`, out.Evidence)
}

// Healthy targets are hardly ever held, and go back for that as rarely as for harm.
func TestHealthyTargetsAreHardlyHeld(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before int
		bad    float64
	}{"known": {60, 2.25}, "few events": {60, 0.1}, "nothing known": {0, 2.25}, "nothing known, few events": {0, 0.1}} {
		kept, undecided := 0, 0
		for seed := range uint64(300) {
			past, now := threes(seed, test.before, 20, test.bad, 1)
			c := quickly()
			c.Worse, c.MinSamples = 0.2, 10
			atGate, _, _ := held(c, past, now[:10])
			passed, failed, out := held(c, past, now)
			require.False(t, failed, out.Evidence)
			if !atGate {
				kept++
			}
			if !passed {
				undecided++
			}
		}
		require.LessOrEqual(t, kept, 6, name)
		require.LessOrEqual(t, undecided, 1, name)
	}
}

// Whatever was seen, no number that passes is above its own limit but what chance explains.
func TestNoPassAboveTheLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := quickly()
		c.MinSamples = 10
		c.Worse = rapid.SampledFrom([]float64{0, 0.2, 1}).Draw(t, "worse")
		c.Before = rapid.Bool().Draw(t, "before")
		if rapid.Bool().Draw(t, "objective") {
			c.Before, c.Objective, c.Burn = false, 0.99, 1
		}
		past, now := threes(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 40).Draw(t, "known"), 30,
			rapid.Float64Range(0.01, 10).Draw(t, "bad"), rapid.Float64Range(0.5, 20).Draw(t, "factor"))
		j := New(c, past)
		for _, l := range now {
			j.See(l)
			out := j.Outcome(l.At)
			if out.Verdict != Pass || out.Ratio <= c.allowed() {
				continue
			}
			require.LessOrEqual(t, out.Least, c.allowed(), out.Evidence)
			if c.Objective == 0 {
				require.Contains(t, out.Evidence, "the rest may be chance")
			}
		}
	})
}

// The least is below the estimate, falls with doubt, and grows with events of the same rates.
func TestLeast(t *testing.T) {
	t.Parallel()
	at := func(n float64, nats float64) float64 {
		test := sequential.NewTwoArms(sequential.Question{}, nil)
		test.See(sequential.Pair{Exposed: sequential.Counts{Bad: 5 * n, Total: 1000 * n}, Control: sequential.Counts{Bad: 3 * n, Total: 3000 * n}})
		return test.Least(nats, 1)
	}
	require.Less(t, at(1, 5), at(1, 3))
	require.Less(t, at(1, 3), at(10, 3))
	require.Less(t, at(10, 3), at(1000, 3))
	require.InDelta(t, 5, at(1e6, 3), 0.05)
	require.Zero(t, sequential.NewTwoArms(sequential.Question{}, nil).Least(3, 1))
}
