package health

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/judge"
)

// arrivals are so many looks of about so many requests, which come in bursts of a size.
func arrivals(random *rand.Rand, looks int, mean, size float64) []float64 {
	out := make([]float64, looks)
	for i := range out {
		for n := random.ExpFloat64(); n < mean/size; n += random.ExpFloat64() {
			out[i] += size
		}
	}
	return out
}

// Requests that come in bursts are no loss, however few there are; a loss of all of them is one.
func TestTrafficInBursts(t *testing.T) {
	const looks, level = 60, 1e-6
	random := rand.New(rand.NewPCG(5, 6))
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	failed, found, stages := 0, 0, 300
	for range stages {
		own, others := arrivals(random, looks, 20, 8), arrivals(random, looks, 180, 8)
		u := judge.UnsteadyOf(own, others, time.Second, looks*time.Second, false)
		b := Baseline{From: begin, At: begin.Add(looks * time.Second), Bursts: u.Bursts, Wander: u.Wander}
		for i := range own {
			b.Exposed, b.Control = b.Exposed+own[i], b.Control+others[i]
		}
		var r requests
		for range looks {
			r.mine, r.others, r.span = r.mine+arrivals(random, 1, 20, 8)[0], r.others+arrivals(random, 1, 180, 8)[0], r.span+time.Second
			if judgeTraffic(Result{}, b, r, true, level).Verdict == Fail {
				failed++
				break
			}
		}
		gone := judgeTraffic(Result{}, b, requests{others: 180 * looks, span: looks * time.Second}, true, level)
		if gone.Verdict == Fail {
			found++
		}
	}
	require.Zero(t, failed, "of %d healthy stages", stages)
	require.Greater(t, found, stages*95/100)
}

// Of a stage whose share of the requests goes up and down by itself, what is less than half of it
// before is no loss; nothing at all is one, also there.
func TestTrafficThatWanders(t *testing.T) {
	const (
		step    = 15 * time.Second
		long    = 6 * 60 * 4 // looks of the past
		bake    = 120
		window  = 20
		mine    = 150.0
		others  = 2850.0
		stages  = 200
		allowed = 1 // of all stages, at a rate of 0.1%
	)
	sticky := func(within float64) func(*rand.Rand) func(int) float64 {
		return func(r *rand.Rand) func(int) float64 {
			keep, x := math.Exp(-step.Minutes()/within), r.NormFloat64()
			return func(int) float64 {
				x = keep*x + math.Sqrt(1-keep*keep)*r.NormFloat64()
				return math.Exp(0.6*x - 0.18)
			}
		}
	}
	for name, world := range map[string]func(*rand.Rand) func(look int) float64{
		"steady": func(*rand.Rand) func(int) float64 { return func(int) float64 { return 1 } },
		"autoscaling": func(r *rand.Rand) func(int) float64 {
			from := r.IntN(40)
			return func(i int) float64 { return []float64{2, 0.5}[(i+from)/20%2] }
		},
		"sticky clients, 5 min":  sticky(5),
		"sticky clients, 30 min": sticky(30),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lost, found := 0, 0
			for seed := range uint64(stages) {
				r := rand.New(rand.NewPCG(seed, 8))
				factor := world(r)
				var own, control []float64
				for i := range long + bake {
					own = append(own, max(0, math.Round(mine*factor(i)+math.Sqrt(mine*factor(i))*r.NormFloat64())))
					control = append(control, math.Round(others+math.Sqrt(others)*r.NormFloat64()))
				}
				sum := func(of []float64, from, to int) float64 {
					all := 0.0
					for _, v := range of[max(0, from):to] {
						all += v
					}
					return all
				}
				begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
				b := Baseline{
					From: begin.Add(-window * step), At: begin, Exposed: sum(own, long-window, long), Control: sum(control, long-window, long),
				}
				u := judge.UnsteadyOf(own[:long], control[:long], step, bake*step, false)
				b.Bursts, b.Wander = u.Bursts, u.Wander
				level := 0.001 * 0.02 / bake
				bad := false
				for i := range bake {
					from := max(long, long+i+1-window)
					now := requests{mine: sum(own, from, long+i+1), others: sum(control, from, long+i+1), span: time.Duration(long+i+1-from) * step}
					bad = bad || judgeTraffic(Result{}, b, now, true, level).Verdict == Fail
				}
				if bad {
					lost++
				}
				if judgeTraffic(Result{}, b, requests{others: others * window, span: window * step}, true, level).Verdict == Fail {
					found++
				}
			}
			require.LessOrEqual(t, lost, allowed)
			require.Greater(t, found, stages*3/4) // not where it was at its lowest before
		})
	}
}

// What a younger release has taken since the stage was measured is not missing, neither of all
// targets nor of one of them; what the others lose is.
func TestTrafficOfTargetsThatWereTaken(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := Baseline{From: begin, At: begin.Add(time.Minute), Exposed: 1000, Control: 3000, ExposedOf: 4, ControlOf: 6, Targets: map[string]float64{
		"a": 100, "b": 300, "c": 300, "d": 300,
	}}
	left := []fleet.Target{{ID: "a"}, {ID: "b"}}
	got := b.about(left, 3)
	require.InDelta(t, 400, got.Exposed, 1e-9)
	require.InDelta(t, 1500, got.Control, 1e-9)
	require.Equal(t, map[string]float64{"a": 100, "b": 300}, got.Targets)
	require.Equal(t, b, b.about(append(left, fleet.Target{ID: "c"}, fleet.Target{ID: "d"}), 6))

	verdict := func(b Baseline, mine, others float64, control bool) Verdict {
		return judgeTraffic(Result{}, b, requests{mine: mine, others: others, span: time.Minute}, control, 1e-6).Verdict
	}
	for _, control := range []bool{true, false} {
		require.Equal(t, Pass, verdict(got, 400, 1500, control))
		require.Equal(t, Fail, verdict(got, 100, 1500, control))
	}
	require.Equal(t, Fail, verdict(b, 400, 0, false), "as it was before")
	b.Targets = nil
	require.InDelta(t, 500, b.about(left, 3).Exposed, 1e-9)
}

// Requests that the control has lost, too, are nobody's fault, unless most of all requests were
// those of the exposed targets.
func TestTrafficThatBothLose(t *testing.T) {
	b := Baseline{From: looked.Add(-10 * time.Minute), At: looked, Exposed: 6000, Control: 12000}
	for _, tc := range []struct {
		control, mine, others float64
		want                  Verdict
	}{
		{12000, 0, 12000, Fail},
		{12000, 0, 9000, Fail},
		{12000, 0, 6000, Unexercised},
		{12000, 0, 0, Unexercised},
		{3000, 0, 1500, Fail},
		{12000, 6000, 6000, Pass},
	} {
		b.Control = tc.control
		r := requests{mine: tc.mine, others: tc.others, span: 10 * time.Minute}
		out := judgeTraffic(Result{}, b, r, true, 1e-6).unlessShared(b, r)
		require.Equal(t, tc.want, out.Verdict, "%+v: %s", tc, out.Sentence)
		require.Equal(t, tc.want == Unexercised && tc.others > 0,
			strings.Contains(out.Sentence, "the control has lost 50% of its requests, too"), out.Sentence)
	}
}
