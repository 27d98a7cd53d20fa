package health

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// More bad events never turn a verdict towards passing.
func TestMoreHarmNeverPassesMore(t *testing.T) {
	rank := map[Verdict]int{Pass: 0, Unexercised: 1, Fail: 2}
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(100, 5000).Draw(t, "total")
		c := ratioOf(rapid.Float64Range(0, 1).Draw(t, "max"))
		bad := rapid.IntRange(0, total-1).Draw(t, "bad")
		more := rapid.IntRange(bad, min(total, bad+10)).Draw(t, "more")
		less := judgeRatio(c, counts(float64(bad), float64(total)), 0)
		got := judgeRatio(c, counts(float64(more), float64(total)), 0)
		require.GreaterOrEqual(t, rank[got.Verdict], rank[less.Verdict], "%s, then %s", less.Sentence, got.Sentence)
	})
}

// What is no number, and a limit that is none, passes nothing, whoever handed it in.
func TestNothingPassesWithoutNumbers(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1} {
		for i := range 2 {
			n := [2]float64{1, 1000}
			n[i] = v
			got := judgeRatio(ratioOf(0), counts(n[0], n[1]), 0)
			require.Equal(t, NoData, got.Verdict, "%v: %s", n, got.Sentence)
		}
	}
	got := judgeValue(spec.Check{Name: "p99", Value: "x", Max: num(1)}, source.Reading{Value: math.NaN()}, 0)
	require.Equal(t, NoData, got.Verdict)
	for name, c := range map[string]spec.Check{
		"none":           {},
		"min of a ratio": {Min: num(0)},
		"max is NaN":     {Max: num(math.NaN())},
		"max is Inf":     {Max: num(math.Inf(1))},
	} {
		c.Name, c.Bad, c.Total = "errors", "b", "t"
		require.Equal(t, NoData, judgeRatio(c, counts(0, 1000), 0).Verdict, name)
	}
}

func TestAtLeast(t *testing.T) {
}

// The gate looks just after the watch did. Both see one breach, not two in a row.
func TestTheSameBreachCountsOnce(t *testing.T) {
	f := newFarm(t, 2)
	f.extra("*", "queue 9\n")
	m := f.open(t, quiet(scrapeSpec(spec.Check{Name: "queue", Value: "queue", Max: num(4), Tolerate: 1})), f.binding(1))
	for _, step := range []struct {
		after time.Duration
		want  Verdict
	}{{10 * time.Second, Unexercised}, {11 * time.Second, Unexercised}, {12 * time.Second, Unexercised}, {17 * time.Second, Fail}} {
		require.Equal(t, step.want, f.look(t, m, step.after).Results[0].Verdict, "%s", step.after)
		s := m.State()
		m = f.open(t, m.stage.spec, f.binding(1))
		require.NoError(t, m.Restore(s))
	}
}

// What a counter has grown by since a look on a clock far ahead says nothing.
func TestStateFromTheFutureIsNoEvidence(t *testing.T) {
	f := newFarm(t, 2)
	m := f.open(t, quiet(scrapeSpec(ratioOf(0.05))), f.binding(1))
	f.look(t, m, 5*time.Second)
	f.serve("*", 0, 1000)
	f.look(t, m, time.Hour)
	require.NotEqual(t, Pass, f.look(t, m, 10*time.Second).Results[0].Verdict)
	f.serve("*", 1000, 2000)
	require.Equal(t, Fail, f.look(t, m, 15*time.Second).Results[0].Verdict)
}

// Time between looks that is longer than staleAfter does not keep evidence away.
func TestSlowLooks(t *testing.T) {
	f := newFarm(t, 2)
	h := quiet(scrapeSpec(ratioOf(0.05)))
	h.Every, h.StaleAfter, h.Window = seconds(60), seconds(10), seconds(300)
	m := f.open(t, h, f.binding(1))
	f.look(t, m, time.Minute)
	f.serve("*", 0, 1000)
	require.Equal(t, Pass, f.look(t, m, 2*time.Minute).Results[0].Verdict)
}

// A counter of failures that no page has ever shown is as likely misspelt.
func TestMisspeltFailuresAreNotNone(t *testing.T) {
	for bad, want := range map[string]Verdict{
		`requests_total{code=~"9.."}`:   Pass,
		`requests_total{status=~"5.."}`: NoData,
		`request_errors_total`:          NoData,
	} {
		f := newFarm(t, 2)
		c := ratioOf(0.05)
		c.Bad = bad
		m := f.open(t, quiet(scrapeSpec(c)), f.binding(1))
		f.look(t, m, 5*time.Second)
		f.serve("*", 0, 1000)
		res := f.look(t, m, 10*time.Second).Results[0]
		require.Equal(t, want, res.Verdict, "%s: %s", bad, res.Sentence)
	}
}

// What is counted of failures is evidence even when their series is gone again.
func TestFailuresOfAProgramThatRestarted(t *testing.T) {
	f := newFarm(t, 2)
	m := f.open(t, quiet(scrapeSpec(ratioOf(0.05))), f.binding(1))
	f.look(t, m, 5*time.Second)
	f.serve("*", 500, 1000)
	require.Equal(t, Fail, f.look(t, m, 10*time.Second).Results[0].Verdict)
	f.page("*", "requests_total{code=\"200\"} 10\n")
	require.Equal(t, Fail, f.look(t, m, 15*time.Second).Results[0].Verdict)
}

// A program that restarts takes with it what it had counted since the last read. Those requests are
// not lost, nor does their absence show that they came.
func TestARestartIsNoMissingTraffic(t *testing.T) {
	f := newFarm(t, 10)
	b := f.binding(2)
	b.Before = Baseline{From: f.applied.Add(-time.Minute), At: f.applied, Exposed: 4000, Control: 16_000}
	m := f.open(t, scrapeSpec(ratioOf(0.05)), b)
	f.serve("*", 0, 5000)
	f.look(t, m, 5*time.Second)
	for i := 1; i <= 6; i++ {
		f.serve("*", 0, 5000+1000*i)
		for _, id := range []string{"t0", "t1"} { // they restart just before the second look
			f.serve(id, 0, 1000*i-990)
		}
		res := result(t, f.look(t, m, time.Duration(5+5*i)*time.Second), spec.CheckTraffic)
		want := map[bool]Verdict{true: NoData, false: Pass}[i == 1]
		require.Equal(t, want, res.Verdict, "look %d: %s", i, res.Sentence)
	}
	for i := 7; i <= 30; i++ { // what is lost for good is seen all the same
		f.serve("*", 0, 5000+1000*i)
		for _, id := range []string{"t0", "t1"} {
			f.serve(id, 0, 5010)
		}
	}
	res := result(t, f.look(t, m, 60*time.Second), spec.CheckTraffic)
	require.NotEqual(t, Pass, res.Verdict, res.Sentence)
}

// series is an oracle that knows some series by how their selectors begin, each with a count and
// how long ago it was sampled.
func series(known map[string]struct {
	count float64
	age   time.Duration
},
) oracle {
	return func(query string, _ *http.Request) (int, string, io.Reader, error) {
		inner, stamp := strings.CutPrefix(query, "max(timestamp(")
		if !stamp {
			inner = strings.TrimPrefix(query, "sum(increase(")
		}
		for begin, s := range known {
			if !strings.HasPrefix(inner, begin) {
				continue
			}
			v := fmt.Sprint(s.count)
			if stamp {
				v = fmt.Sprint(looked.Add(-s.age).Unix())
			} else if s.count < 0 {
				break
			}
			return 200, asJSON, strings.NewReader(vector(v)), nil
		}
		return 200, asJSON, strings.NewReader(vector()), nil
	}
}

func TestPrometheusFailuresWithoutSeries(t *testing.T) {
	type known = map[string]struct {
		count float64
		age   time.Duration
	}
	const total, bad, loose = `requests_total{instance=~`, `requests_total{code=~"5..",instance=~`, `requests_total{code!="",instance=~`
	for _, tc := range []struct {
		name string
		is   known
		want Verdict
		says string
	}{
		{"none yet, and the metric is known", known{total: {1000, 0}, loose: {0, 0}}, Pass, "0% (0/1,000)"},
		{"nobody has such a metric", known{total: {1000, 0}}, NoData, "is a name misspelt"},
		{"it is known, but was not read lately", known{total: {1000, 0}, loose: {0, time.Minute}}, Stale, "the newest sample is 1m0s old"},
		{"it is there, but no increase", known{total: {1000, 0}, bad: {-1, 0}}, NoData, "read only once yet"},
		{"it is there, and old", known{total: {1000, 0}, bad: {1, 40 * time.Second}}, Stale, "the newest sample is 40s old"},
		{"it was there, and the metric still is", known{total: {1000, 0}, "requests_total{code=~\"5..\",instance=~\"10\\\\.0\\\\.0\\\\.0:80|10\\\\.0\\\\.0\\\\.1:80\"}[": {1, 0}, loose: {0, 0}}, Pass, "0.1% (1/1,000)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := lookProm(t, promSpec(promRatio()), promBinding(4, 2), series(tc.is)).Results[0]
			require.Equal(t, tc.want, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, tc.says)
		})
	}
}

// A range that reaches back before the apply may show harm, but not health.
func TestRangesFromBeforeTheApply(t *testing.T) {
	c := promValue()
	c.Value = "max(rate(latency_sum{$cohort}[5m]))"
	res := lookProm(t, promSpec(c), promBinding(4, 2), answers(vector("0.3"))).Results[0]
	require.Equal(t, Unexercised, res.Verdict)
	require.Contains(t, res.Sentence, "0.3, limit 0.4; no evidence of health yet: the query reaches back 5m, to before evidence counts (12:00:00 UTC)")
	require.Equal(t, Fail, lookProm(t, promSpec(c), promBinding(4, 2), answers(vector("0.5"))).Results[0].Verdict)
	c.Value = "max(rate(latency_sum{$cohort}[1m]))"
	require.Equal(t, Pass, lookProm(t, promSpec(c), promBinding(4, 2), answers(vector("0.3"))).Results[0].Verdict)
}

// Checks that ask the same question cost one query.
func TestALookAsksEachQueryOnce(t *testing.T) {
	asked := map[string]int{}
	slots := make(chan struct{}, 1)
	checks := []spec.Check{promRatio(), promRatio(), promRatio()}
	for i := range checks {
		checks[i].Name = fmt.Sprint("errors", i)
	}
	lookProm(t, promSpec(checks...), promBinding(4, 2), oracle(func(q string, r *http.Request) (int, string, io.Reader, error) {
		slots <- struct{}{}
		defer func() { <-slots }()
		asked[q]++
		return answers(vector("1000"))(q, r)
	}))
	require.Len(t, asked, 4)
	for q, n := range asked {
		require.Equal(t, 1, n, q)
	}
}
