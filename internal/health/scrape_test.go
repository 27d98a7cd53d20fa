package health

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

func (f *farm) look(t *testing.T, m *Evaluator, after time.Duration) Report {
	t.Helper()
	r, err := m.Look(t.Context(), f.applied.Add(after))
	require.NoError(t, err)
	return r
}

// quiet leaves out what a test of a check is not about.
func quiet(h spec.Health) spec.Health {
	h.Without = []string{spec.CheckAlive, spec.CheckTraffic}
	return h
}

func TestScrapeCountsWhatCountersGrewBy(t *testing.T) {
	f := newFarm(t, 4)
	m := f.open(t, quiet(scrapeSpec(ratioOf(0.05))), f.binding(2))
	f.serve("*", 900, 1000) // before the first read: nobody knows when
	require.Equal(t, Unexercised, f.look(t, m, 5*time.Second).Results[0].Verdict)
	f.serve("*", 901, 1100)
	res := f.look(t, m, 10*time.Second).Results[0]
	require.Equal(t, Pass, res.Verdict)
	require.Equal(t, "1% (2/200), limit 5%", res.Sentence)
	f.serve("t0", 1, 51) // restarted: counts from zero
	f.serve("t1", 902, 1150)
	res = f.look(t, m, 15*time.Second).Results[0]
	require.Equal(t, "1.3% (4/301), limit 5%", res.Sentence)
}

func TestScrapeWindowTrails(t *testing.T) {
	f := newFarm(t, 2)
	h := quiet(scrapeSpec(ratioOf(0.05)))
	h.Checks[0].MinSamples = 1
	m := f.open(t, h, f.binding(1))
	for i := range 60 {
		bad := 0
		if i > 5 {
			bad = 100 // all of it early
		}
		f.serve("*", bad, 100+100*i)
		res := f.look(t, m, time.Duration(5*(i+1))*time.Second).Results[0]
		if i > 20 {
			require.Equal(t, "0% (0/1,200), limit 5%", res.Sentence, i)
		}
	}
	require.LessOrEqual(t, len(keptPages(t, m).Parts), 2*30)
}

// After a value that was none, the next one is not taken for all new.
func TestScrapeMeasuresAnewAfterABrokenValue(t *testing.T) {
	f := newFarm(t, 2)
	m := f.open(t, quiet(scrapeSpec(ratioOf(0.05))), f.binding(1))
	f.serve("*", 5000, 10_000)
	f.look(t, m, 5*time.Second)
	f.page("*", "requests_total{code=\"500\"} NaN\n")
	require.Equal(t, NoData, f.look(t, m, 10*time.Second).Results[0].Verdict)
	f.serve("*", 5000, 10_000)
	require.NotEqual(t, Fail, f.look(t, m, 15*time.Second).Results[0].Verdict)
	f.serve("*", 5001, 10_200)
	require.Equal(t, "0.5% (1/200), limit 5%", f.look(t, m, 20*time.Second).Results[0].Sentence)
}

func TestScrapeUnreadablePages(t *testing.T) {
	f := newFarm(t, 8)
	m := f.open(t, quiet(scrapeSpec(ratioOf(0.05))), f.binding(4))
	f.look(t, m, 5*time.Second)
	f.fail("t0", errors.New("connection refused\x1b[31m"))
	f.fail("t1", errors.New("connection refused\x1b[31m"))
	f.serve("*", 1, 100)
	require.Equal(t, "1% (2/200), limit 5%", f.look(t, m, 10*time.Second).Results[0].Sentence)
	f.fail("t2", errors.New("connection refused\x1b[31m"))
	res := f.look(t, m, 15*time.Second).Results[0]
	require.Equal(t, NoData, res.Verdict)
	require.Contains(t, res.Sentence, "3 of 4 metrics pages could not be read")
	require.NotContains(t, res.Sentence, "\x1b")
}

// Pages that cannot be read for a while are no collapse of traffic.
func TestUnreadablePagesAreNoMissingTraffic(t *testing.T) {
	f := newFarm(t, 8)
	h := scrapeSpec(ratioOf(0.05))
	b := f.binding(4)
	b.Before = Baseline{From: f.applied.Add(-time.Minute), At: f.applied, Exposed: 1200, Control: 1200}
	m := f.open(t, h, b)
	for i := range 12 {
		f.serve("*", 0, 100*i)
		for _, id := range []string{"t0", "t1", "t2"} {
			var err error
			if i > 2 && i < 10 {
				err = errors.New("connection refused")
			}
			f.fail(id, err)
		}
		res := result(t, f.look(t, m, time.Duration(5*(i+1))*time.Second), spec.CheckTraffic)
		require.NotEqual(t, Fail, res.Verdict, res.Sentence)
	}
}

// Growth of an hour ago is no evidence, and neither is what happened meanwhile.
func TestScrapeAfterAGap(t *testing.T) {
	f := newFarm(t, 4)
	h := quiet(scrapeSpec(ratioOf(0.05)))
	h.Window = seconds(600)
	m := f.open(t, h, f.binding(2))
	f.look(t, m, 5*time.Second)
	f.serve("*", 0, 1000)
	require.Equal(t, Pass, f.look(t, m, 10*time.Second).Results[0].Verdict)
	f.serve("*", 5000, 6000)
	res := f.look(t, m, 2*time.Minute).Results[0]
	require.Equal(t, Stale, res.Verdict, res.Sentence)
	f.serve("*", 5000, 6200)
	require.Equal(t, Pass, f.look(t, m, 2*time.Minute+5*time.Second).Results[0].Verdict)
}

func TestScrapeReadsASample(t *testing.T) {
	f := newFarm(t, 40)
	h := quiet(scrapeSpec(ratioOf(0.05)))
	h.Source = sampling(h, 5)
	m := f.open(t, h, f.binding(20))
	f.look(t, m, 5*time.Second)
	f.serve("*", 0, 100)
	res := f.look(t, m, 10*time.Second).Results[0]
	require.Equal(t, "0% (0/500), limit 5% [read on 5 of 20 targets]", res.Sentence)
	require.Len(t, keptPages(t, m).Last, 10)
}

// What is measured before a stage, two reads apart, is what its looks compare with.
func TestScrapeBaseline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 4)
		c := ratioOf(0)
		c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.2)
		b := f.binding(4) // the last stage
		go func() {
			time.Sleep(4 * time.Second)
			f.serve("*", 1, 1000)
		}()
		before, err := f.open(t, scrapeSpec(c), b).Baseline(t.Context(), f.applied.Add(-time.Minute))
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, before.At.Sub(before.From))
		require.Equal(t, map[string]Past{"errors": {Step: spec.Duration(5 * time.Second), Looks: [][]float64{{4, 4000}, {0, 0}}}}, before.Past)
		require.Equal(t, Baseline{
			From: before.From, At: before.At, Exposed: 4000, ExposedOf: 4, Bursts: sequential.UsualBurst, Past: before.Past,
			Targets: map[string]float64{"t0": 1000, "t1": 1000, "t2": 1000, "t3": 1000},
			Shown: source.Shown{
				"requests_total":              {"t0": 100, "t1": 100, "t2": 100, "t3": 100},
				`requests_total{code=~"5.."}`: {"t0": 0.1, "t1": 0.1, "t2": 0.1, "t3": 0.1},
			},
			Values: map[string]source.Values{
				"errors": {Total: 4000, Of: []source.Value{{Missed: []source.Label{{Name: "code", Value: "200"}}, Events: 3996}, {Events: 4}}},
			},
		}, before)

		b.Before = before
		m := f.open(t, scrapeSpec(c), b)
		f.look(t, m, 5*time.Second)
		f.serve("*", 101, 2000)
		r := f.look(t, m, 10*time.Second)
		require.Equal(t, Unexercised, result(t, r, "errors").Verdict, "one look is half of the evidence, at most")
		require.Contains(t, result(t, r, "errors").Sentence, "10% (400/4,000) vs before the change 0.1% (4/4,000)")
		require.Contains(t, result(t, r, "errors").Sentence, "(no control is left: the weaker comparison)")
		require.Equal(t, Pass, result(t, r, spec.CheckTraffic).Verdict)
	})
}

func TestBaselineSaysWhatItCouldNotMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 4)
		f.fail("*", errors.New("connection refused"))
		c := ratioOf(0)
		c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.2)
		b := f.binding(4)
		before, err := f.open(t, scrapeSpec(c), b).Baseline(t.Context(), f.applied)
		require.NoError(t, err)
		require.Contains(t, before.Traffic, "could not be read")
		b.Before = before
		f.fail("*", nil)
		m := f.open(t, scrapeSpec(c), b)
		f.look(t, m, 5*time.Second)
		f.serve("*", 0, 1000)
		r := f.look(t, m, 10*time.Second)
		require.Equal(t, NoData, result(t, r, "errors").Verdict)
		require.Equal(t, NoData, result(t, r, spec.CheckTraffic).Verdict)
	})
}

// Traffic that goes away from the exposed targets, without a single error, is harm.
func TestVanishingTrafficFails(t *testing.T) {
	f := newFarm(t, 10)
	b := f.binding(2)
	b.Before = Baseline{From: f.applied.Add(-time.Minute), At: f.applied, Exposed: 400, Control: 1600}
	m := f.open(t, scrapeSpec(ratioOf(0.05)), b)
	f.look(t, m, 5*time.Second)
	f.serve("*", 0, 100)
	f.serve("t0", 0, 0)
	f.serve("t1", 0, 10)
	r := f.look(t, m, 10*time.Second)
	require.Equal(t, "1.2% of all requests, 20% before the stage; less than 50% is left", result(t, r, spec.CheckTraffic).Sentence)
	require.Equal(t, Fail, r.Verdict())
}
