package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// A first worker, whose clock is ten minutes ahead, looks for a minute; then another goes on, whose
// clock is right, and counts what it sees.
func TestClockAheadHidesNoHarm(t *testing.T) {
	f := newFarm(t, 12)
	h := scrapeSpec(spec.Check{
		Name: "errors", Bad: `requests_total{code=~"5.."}`, Total: "requests_total",
		Against: spec.AgainstControl, Worse: num(.2), MinSamples: 100, Weight: 1,
	})
	h.Without = []string{spec.CheckAlive, spec.CheckTraffic}
	h.FalseRollbackRate = .05
	b := f.binding(4)
	b.Bake = 10 * time.Minute
	var s State
	n, bad := 0.0, 0.0
	var res Result
	look := func(at time.Duration, share float64) {
		n, bad = n+20, bad+20*(1-share)
		for i, target := range f.targets {
			if i < 4 {
				f.serve(target.ID, int(bad), int(n))
			} else {
				f.serve(target.ID, int(.2*n), int(n))
			}
		}
		res, s = lookOnFrom(t, f.open(t, h, b), s, f.applied.Add(at))
	}
	for i := range 12 {
		look(10*time.Minute-time.Second*time.Duration(60-5*i), .8)
	}
	for i := range 100 {
		look(time.Minute+time.Second*time.Duration(5*i), .2)
		if res.Verdict == Fail {
			break
		}
	}
	require.Equal(t, Fail, res.Verdict, res.Sentence)
}

// What was taken back is well again when it looks as it should, and not as soon as no harm is
// established.
func TestMeansAfterARollback(t *testing.T) {
	h, b := promSpec(orders()), meansBinding()
	h.StaleAfter = seconds(7200)
	b.Since, b.Bake, b.Recovering = looked, 10*time.Minute, true
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: shops(func(i int) float64 {
		v := 100 + 30*float64(i%5)
		if i < 8 {
			v *= .6
		}
		return v
	})})
	require.NoError(t, err)
	for n := range 5 {
		r, err := m.Look(t.Context(), looked.Add(time.Duration(15*(n+2))*time.Second))
		require.NoError(t, err)
		require.NotEqual(t, Pass, r.Results[0].Verdict, r.Results[0].Sentence)
	}
}
