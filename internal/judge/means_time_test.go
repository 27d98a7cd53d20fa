package judge

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func shopLook(at time.Duration, r *rand.Rand, factor float64) Numbers {
	n := Numbers{At: at}
	for i := range 60 {
		v := 100 + 5*r.NormFloat64()
		if i < 10 {
			n.Exposed = append(n.Exposed, v*factor)
		} else {
			n.Control = append(n.Control, v)
		}
	}
	return n
}

func shopCriteria() MeansCriteria {
	c := MeansCriteria{Criteria: Criteria{Alpha: 0.001, Every: 15 * time.Second, Bake: 30 * time.Minute, MinSamples: 30}, Drop: 0.1, Rise: -1}
	return c
}

// lateHarm feeds the looks of a bake, harm (half the number) from minute 21 on; looks that skip
// says are lost (worker away, or warm-up).
func lateHarm(skip func(i int) bool) Outcome {
	r := rand.New(rand.NewPCG(1, 2))
	j := NewMeansJudge(shopCriteria(), nil)
	for i := 1; i <= 120; i++ {
		at := time.Duration(i) * 15 * time.Second
		f := 1.0
		if at >= 21*time.Minute {
			f = 0.5
		}
		n := shopLook(at, r, f)
		if !skip(i) {
			j.See(n)
		}
	}
	return j.Outcome(30 * time.Minute)
}

// Tests are made by time, also where fewer looks happened than were planned: in a warm-up, or while
// a worker was away.
func TestMeansAreTestedToTheEndAfterLostLooks(t *testing.T) {
	require.Equal(t, Fail, lateHarm(func(int) bool { return false }).Verdict, "undisturbed")
	out := lateHarm(func(i int) bool { return i == 50 || i == 51 })
	require.Equal(t, Fail, out.Verdict, "two looks lost: %s", out.Evidence)
}

func TestMeansAreTestedToTheEndAfterWarmup(t *testing.T) {
	out := lateHarm(func(i int) bool { return i <= 4 }) // warmup: 1m
	require.Equal(t, Fail, out.Verdict, "one minute of warm-up: %s", out.Evidence)
}

// Nothing was seen for the whole bake; after it the source answers, with half the number.
func TestMeansNeverPassUntested(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	j := NewMeansJudge(shopCriteria(), nil)
	for i := 1; i <= 120; i++ {
		j.See(Numbers{At: time.Duration(i) * 15 * time.Second})
	}
	for i := 121; i <= 140; i++ {
		at := time.Duration(i) * 15 * time.Second
		j.See(shopLook(at, r, 0.5))
		out := j.Outcome(at)
		require.NotEqual(t, Pass, out.Verdict, "look %d: %s", i, out.Evidence)
	}
}

// Repeated looks of a watch that is retried often use no tests up.
func TestMeansAreTestedToTheEndWithRepeatedLooks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	j := NewMeansJudge(shopCriteria(), nil)
	for i := 1; i <= 120; i++ {
		at := time.Duration(i) * 15 * time.Second
		f := 1.0
		if at >= 16*time.Minute {
			f = 0.5
		}
		n := shopLook(at, r, f)
		j.See(n)
		j.See(n)
	}
	out := j.Outcome(30 * time.Minute)
	require.Equal(t, Fail, out.Verdict, out.Evidence)
}

// One idle target does not let day and night be taken for harm.
func TestMeansWithAnIdleTargetAndDrift(t *testing.T) {
	for _, test := range []struct{ drop, rise, drift float64 }{{-1, 0.1, 0.6}, {0.1, -1, 1.6}} {
		wrong := 0
		for seed := range uint64(200) {
			r := rand.New(rand.NewPCG(seed, 7))
			level := make([]float64, 60)
			for i := range level {
				level[i] = 100 * math.Exp(0.2*r.NormFloat64())
				if i < 10 {
					level[i] *= 0.3 // canaries are smaller
				}
			}
			level[30] = 0 // a standby in the control
			draw := func(at time.Duration, all float64) (n Numbers) {
				n.At = at
				for i, l := range level {
					v := l * all * (1 + 0.05*r.NormFloat64())
					if i < 10 {
						n.Exposed = append(n.Exposed, v)
					} else {
						n.Control = append(n.Control, v)
					}
				}
				return n
			}
			var before []Numbers
			for i := range 40 {
				before = append(before, draw(time.Duration(i-40)*15*time.Second, 1))
			}
			c := shopCriteria()
			c.Alpha, c.Drop, c.Rise = 0.05, test.drop, test.rise
			j := NewMeansJudge(c, before)
			for i := 1; i <= 120; i++ {
				j.See(draw(time.Duration(i)*15*time.Second, 1+(test.drift-1)*float64(i)/120))
			}
			if j.Outcome(c.Bake).Verdict == Fail {
				wrong++
			}
		}
		require.LessOrEqual(t, wrong, 20, "drift %v: of 200 healthy bakes at 5%%", test.drift)
	}
}

// A change that makes targets show absurd numbers is no PASS.
func TestAbsurdNumbersAreNoPass(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := shopCriteria()
	c.Drop, c.Rise = -1, 0.1
	j := NewMeansJudge(c, nil)
	for i := 1; i <= 120; i++ {
		n := shopLook(time.Duration(i)*15*time.Second, r, 1)
		for k := range 5 {
			n.Exposed[k] = 1e200
		}
		j.See(n)
	}
	out := j.Outcome(30 * time.Minute)
	require.NotEqual(t, Pass, out.Verdict, out.Evidence)
}
