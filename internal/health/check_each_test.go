package health

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// web is a fleet of which most targets show the same, and some what they are told.
func web(n int, most ratio, others map[int]ratio) perTargetInput {
	e := perTargetInput{missed: map[string]bool{}}
	for i := range n {
		m := member{id: fmt.Sprintf("web-%02d", i), ratio: most}
		if r, ok := others[i]; ok {
			m.ratio = r
		}
		e.targets = append(e.targets, m)
	}
	return e
}

func eachOf(most float64) spec.Check {
	c := ratioOf(most)
	c.Each = spec.EachTarget
	return c
}

func TestJudgeEachRatio(t *testing.T) {
	gone := ratio{total: source.NoData("", "it has no series")}
	old := ratio{total: source.Reading{Verdict: Stale, Why: "the newest sample is 2m0s old"}}
	with := func(e perTargetInput, change func(*perTargetInput)) perTargetInput {
		change(&e)
		return e
	}
	missed := func(ids ...string) func(*perTargetInput) {
		return func(e *perTargetInput) {
			for _, id := range ids {
				e.missed[id] = true
			}
		}
	}
	against := eachOf(0)
	against.Max, against.Against, against.Worse = nil, spec.AgainstControl, num(0.2)
	two := eachOf(0.02)
	two.Outliers = 2
	for _, tc := range []struct {
		name  string
		check spec.Check
		is    perTargetInput
		want  Verdict
		says  string
	}{
		{"one of 200", eachOf(0.02), web(200, counts(8, 2000), map[int]ratio{7: counts(240, 2000)}), Fail, "web-07 12% (240/2,000), limit 2%; 1 of 200 targets"},
		{"all fine", eachOf(0.02), web(200, counts(8, 2000), map[int]ratio{3: counts(22, 2000)}), Pass, "all 200 targets inside, the worst web-03 1.1% (22/2,000), limit 2%"},
		{"one above by chance", eachOf(0.02), web(200, counts(8, 2000), map[int]ratio{3: counts(47, 2000)}), Pass, "all 200 targets inside, the worst web-03 2.4% (47/2,000), limit 2%, which chance explains"},
		{"one above by more, and not by enough", eachOf(0.02), web(200, counts(8, 2000), map[int]ratio{3: counts(70, 2000)}), Unexercised, "web-03 3.5% (70/2,000), limit 2%; 1 of 200 targets, more than chance explains and too few bad events to establish harm: more events are needed"},
		{"seven", eachOf(0.02), web(200, counts(8, 2000), map[int]ratio{1: counts(240, 2000), 2: counts(250, 2000), 3: counts(260, 2000), 4: counts(270, 2000), 5: counts(280, 2000), 6: counts(290, 2000), 7: counts(300, 2000)}), Fail, "web-07 15% (300/2,000), web-06 14% (290/2,000), web-05 14% (280/2,000), web-04 14% (270/2,000), web-03 13% (260/2,000) and 2 more, limit 2%; 7 of 200 targets"},
		{"as many as may", two, web(200, counts(8, 2000), map[int]ratio{7: counts(240, 2000), 9: counts(241, 2000)}), Pass, "web-09 12% (241/2,000), web-07 12% (240/2,000), limit 2%; 2 of 200 targets, up to 2 are tolerated"},
		{"one more", two, web(200, counts(8, 2000), map[int]ratio{7: counts(240, 2000), 9: counts(240, 2000), 1: counts(240, 2000)}), Fail, "web-01 12% (240/2,000), web-07 12% (240/2,000), web-09 12% (240/2,000), limit 2%; 3 of 200 targets, up to 2 are tolerated"},
		{"half are no outliers", two, web(2, counts(240, 2000), nil), Fail, "web-00 12% (240/2,000), web-01 12% (240/2,000), limit 2%; 2 of 2 targets"},
		{"none is allowed", eachOf(0), web(200, counts(0, 2000), map[int]ratio{7: counts(1, 2000)}), Fail, "web-07 0.05% (1/2,000), limit 0%; 1 of 200 targets"},
		{"all of a little", eachOf(0.02), web(4, counts(1, 1000), map[int]ratio{0: counts(4, 150)}), Pass, "all 4 targets inside, the worst web-00 2.7% (4/150), limit 2%, which chance explains"},
		{"few bad are no harm, and more than chance", eachOf(0.001), web(4, counts(0, 1000), map[int]ratio{0: counts(4, 150)}), Unexercised, "web-00 2.7% (4/150), limit 0.1%; 1 of 4 targets, more than chance explains and too few bad events to establish harm: more events are needed"},
		{"some are quiet", eachOf(0.02), web(10, counts(8, 2000), map[int]ratio{1: counts(3, 99), 2: counts(99, 99)}), Pass, "8 of 10 targets inside, the worst web-00 0.4% (8/2,000), limit 2%; 2 with fewer than 100 events"},
		{"most are quiet", eachOf(0.02), web(10, counts(8, 99), map[int]ratio{1: counts(3, 2000)}), Unexercised, "1 of 10 targets could be judged, at least half are needed; 9 with fewer than 100 events"},
		{"all are quiet", eachOf(0.02), web(10, counts(0, 0), nil), Unexercised, "0 of 10 targets could be judged, at least half are needed; 10 with fewer than 100 events"},
		{"most are quiet, one is harmed", eachOf(0.02), web(10, counts(8, 99), map[int]ratio{1: counts(900, 2000)}), Fail, "web-01 45% (900/2,000), limit 2%; 1 of 10 targets"},
		{"one is gone", eachOf(0.02), web(10, counts(8, 2000), map[int]ratio{4: gone}), NoData, "1 of 10 targets have no usable data: web-04 (it has no series)"},
		{"one is old", eachOf(0.02), web(10, counts(8, 2000), map[int]ratio{4: old}), Stale, "1 of 10 targets have no usable data: web-04 (the newest sample is 2m0s old)"},
		{"one is gone, one old", eachOf(0.02), web(10, counts(8, 2000), map[int]ratio{4: old, 5: gone}), NoData, "2 of 10 targets have no usable data: web-04 (the newest sample is 2m0s old); web-05 (it has no series)"},
		{"one is gone, one harmed", eachOf(0.02), web(10, counts(8, 2000), map[int]ratio{4: gone, 5: counts(900, 2000)}), Fail, "web-05 45% (900/2,000), limit 2%; 1 of 10 targets"},
		{"one had nothing before either", eachOf(0.02), with(web(10, counts(8, 2000), map[int]ratio{4: gone}), missed("web-04")), Pass, "9 of 10 targets inside, the worst web-00 0.4% (8/2,000), limit 2%; 1 without data, as before the stage"},
		{"most are gone, as before", eachOf(0.02), with(web(3, gone, map[int]ratio{0: counts(0, 1000)}), missed("web-01", "web-02")), Unexercised, "1 of 3 targets could be judged, at least half are needed; 2 without data, as before the stage"},
		{"one is silent, and may be", eachOf(0.02), with(web(10, counts(8, 2000), map[int]ratio{4: gone}), func(e *perTargetInput) { e.silent = 1 }), Pass, "9 of 10 targets inside, the worst web-00 0.4% (8/2,000), limit 2%; 1 without data"},
		{"the gone are no more than the outliers", two, web(10, counts(8, 2000), map[int]ratio{4: gone}), Pass, "9 of 10 targets inside, the worst web-00 0.4% (8/2,000), limit 2%; 1 without data"},
		{"nobody", eachOf(0.02), perTargetInput{}, NoData, "no target to judge"},
		{"nothing", eachOf(0.02), perTargetInput{whole: []source.Reading{source.NoData("q", "the query found no series")}}, NoData, "the query found no series"},
		{"a contradiction", eachOf(1), web(10, counts(8, 2000), map[int]ratio{4: counts(2300, 2000)}), Fail, "web-04 115% (2,300/2,000), limit 100%; 1 of 10 targets"},
		{"against control", against, with(web(200, counts(8, 2000), map[int]ratio{7: counts(240, 2000)}), func(e *perTargetInput) { e.control = counts(88, 22_000) }), Fail, "web-07 12% (240/2,000), limit 0.48% (control 0.4% (88/22,000), +20%); 1 of 200 targets"},
		{"as good as control", against, with(web(200, counts(8, 2000), nil), func(e *perTargetInput) { e.control = counts(88, 22_000) }), Pass, "all 200 targets inside, the worst web-00 0.4% (8/2,000), limit 0.48% (control 0.4% (88/22,000), +20%)"},
		{"worse than before", against, with(web(2, counts(240, 2000), nil), func(e *perTargetInput) { e.control, e.before = counts(88, 22_000), true }), Fail, "web-00 12% (240/2,000), web-01 12% (240/2,000), limit 0.48% (before the stage (no control is left: the weaker comparison) 0.4% (88/22,000), +20%); 2 of 2 targets"},
		{"control too small", against, with(web(2, counts(240, 2000), nil), func(e *perTargetInput) { e.control = counts(0, 99) }), Unexercised, "99 events to compare with, at least 100 are needed"},
		{"control not known", against, with(web(2, counts(240, 2000), nil), func(e *perTargetInput) { e.control = gone }), NoData, "it has no series"},
		{"no limit", spec.Check{Name: "errors", Bad: "b", Total: "t", Each: "target"}, web(2, counts(0, 2000), nil), NoData, "it has no limit to judge by"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := judgeEach(tc.check, tc.is, 0)
			require.Equal(t, tc.says, got.Sentence)
			require.Equal(t, tc.want, got.Verdict)
			require.False(t, got.Pending)
		})
	}
}

func TestJudgeEachValue(t *testing.T) {
	values := func(vs ...float64) perTargetInput {
		var e perTargetInput
		for i, v := range vs {
			e.targets = append(e.targets, member{id: fmt.Sprint("t", i), value: source.Reading{Value: v}})
		}
		return e
	}
	for _, tc := range []struct {
		name     string
		max, min *spec.Number
		is       perTargetInput
		streak   int
		want     Verdict
		says     string
	}{
		{"inside", num(0.4), nil, values(0.1, 0.3, 0.2), 0, Pass, "all 3 targets inside, the worst t1 0.3, the limit 0.4"},
		{"one above", num(0.4), nil, values(0.1, 0.3, 0.52), 2, Fail, "t2 0.52 above the limit 0.4; 1 of 3 targets"},
		{"tolerated", num(0.4), nil, values(0.1, 0.3, 0.52), 1, Unexercised, "t2 0.52 above the limit 0.4; 1 of 3 targets, breach 2 of 2 tolerated"},
		{"one below", nil, num(3), values(4, 2, 5), 2, Fail, "t1 2 below the limit 3; 1 of 3 targets"},
		{"at least", nil, num(3), values(4, 3, 5), 0, Pass, "all 3 targets inside, the worst t1 3, the limit 3"},
		{"outside on both sides", num(9), num(3), values(4, 2, 11, 5), 2, Fail, "t2 11 above the limit 9, t1 2 below the limit 3; 2 of 4 targets"},
		{"one is NaN", num(9), nil, values(4, math.NaN(), 5), 2, NoData, "1 of 3 targets have no usable data: t1 (the source answered NaN)"},
		{"one is Inf, one above", num(9), nil, values(4, math.Inf(1), 10), 2, Fail, "t2 10 above the limit 9; 1 of 3 targets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := spec.Check{Name: "p99", Value: "p99", Each: spec.EachTarget, Max: tc.max, Min: tc.min, Tolerate: 2}
			got := judgeEach(c, tc.is, tc.streak)
			require.Equal(t, tc.says, got.Sentence)
			require.Equal(t, tc.want, got.Verdict)
		})
	}
}

// Of 200 targets that are all as bad as may be, some are the worst by chance. A look at them hardly
// ever fails; one target that is ten times as bad is always found.
func TestEachOfAHealthyFleet(t *testing.T) {
	for _, tc := range []struct {
		limit, share float64 // the targets' true share of bad events, of the limit
		events       int
	}{{0.01, 1, 300}, {0.02, 1, 2000}, {0.001, 1, 20_000}, {0.05, 0.9, 500}, {0.2, 1, 150}} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(tc.events)))
			fleet := func(sick bool) perTargetInput {
				e := perTargetInput{}
				for i := range 200 {
					p := tc.limit * tc.share
					if sick && i == 77 {
						p = min(1, 10*tc.limit)
					}
					bad := 0
					for range tc.events {
						if random.Float64() < p {
							bad++
						}
					}
					e.targets = append(e.targets, member{id: fmt.Sprintf("web-%02d", i), ratio: counts(float64(bad), float64(tc.events))})
				}
				return e
			}
			looks, held := max(10, 2_000_000/(200*tc.events)), 0
			for range looks {
				got := judgeEach(eachOf(tc.limit), fleet(false), 0)
				require.NotEqual(t, Fail, got.Verdict, got.Sentence)
				if got.Verdict != Pass {
					held++
				}
			}
			require.LessOrEqual(t, held, 1+looks/5, "of %d looks", looks)
			for range 3 {
				got := judgeEach(eachOf(tc.limit), fleet(true), 0)
				require.Equal(t, Fail, got.Verdict, got.Sentence)
				require.Contains(t, got.Sentence, "web-77")
			}
		})
	}
}

// More bad events on any target never turn a verdict towards passing.
func TestMoreHarmOnOneNeverPassesMore(t *testing.T) {
	rank := map[Verdict]int{Pass: 0, Unexercised: 1, Fail: 2}
	rapid.Check(t, func(t *rapid.T) {
		c := eachOf(rapid.Float64Range(0, 1).Draw(t, "max"))
		c.Outliers = rapid.IntRange(0, 3).Draw(t, "outliers")
		n := rapid.IntRange(1, 12).Draw(t, "targets")
		e := perTargetInput{}
		if rapid.Bool().Draw(t, "against") {
			c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(rapid.Float64Range(0, 10).Draw(t, "worse"))
			e.control = counts(float64(rapid.IntRange(0, 100).Draw(t, "control bad")), 5000)
		}
		for i := range n {
			total := rapid.IntRange(50, 3000).Draw(t, "total")
			e.targets = append(e.targets, member{id: fmt.Sprint("t", i), ratio: counts(float64(rapid.IntRange(0, total).Draw(t, "bad")), float64(total))})
		}
		less := judgeEach(c, e, 0)
		one := &e.targets[rapid.IntRange(0, n-1).Draw(t, "one")].ratio
		one.bad.Value = min(one.total.Value, one.bad.Value+float64(rapid.IntRange(0, 20).Draw(t, "more")))
		more := judgeEach(c, e, 0)
		require.GreaterOrEqual(t, rank[more.Verdict], rank[less.Verdict], "%s, then %s", less.Sentence, more.Sentence)
	})
}

// Whatever is read of each target, nothing passes on silence.
func TestEachPassesNothingWithoutNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 0, 1, 5, 100, 1000, 1000, math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300}))
		read := func(name string) source.Reading {
			verdict := rapid.SampledFrom([]Verdict{"", "", "", "", NoData, Stale, Unexercised})
			return source.Reading{Value: number.Draw(t, name), Why: "trouble", Verdict: verdict.Draw(t, name+" verdict")}
		}
		c := eachOf(0.05)
		c.Outliers = rapid.IntRange(0, 5).Draw(t, "outliers")
		e := perTargetInput{missed: map[string]bool{}, silent: rapid.IntRange(0, 3).Draw(t, "silent")}
		if rapid.Bool().Draw(t, "value") {
			c = spec.Check{Name: "queue", Each: spec.EachTarget, Value: "queue", Max: num(4), Outliers: c.Outliers}
		} else if rapid.Bool().Draw(t, "against") {
			c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.2)
			e.control = ratio{bad: read("control bad"), total: read("control total")}
		}
		sound := 0
		for i := range rapid.IntRange(0, 8).Draw(t, "targets") {
			m := member{id: fmt.Sprint("t", i), ratio: ratio{bad: read("bad"), total: read("total")}, value: read("value")}
			e.targets = append(e.targets, m)
			e.missed[m.id] = rapid.Bool().Draw(t, "missed")
			ok := m.ratio.total.Counted().Verdict == "" && m.ratio.bad.Counted().Verdict == "" && m.ratio.total.Value >= 100
			if c.Value != "" {
				ok = m.value.Usable().Verdict == ""
			}
			if ok {
				sound++
			}
		}
		got := judgeEach(c, e, 0)
		require.NotEmpty(t, got.Verdict)
		require.NotEmpty(t, got.Sentence)
		if got.Verdict == Pass {
			require.Positive(t, sound)
			require.GreaterOrEqual(t, 2*sound, len(e.targets))
		}
		if got.Verdict == Fail {
			require.Positive(t, sound)
		}
		if got.Value != nil {
			require.False(t, math.IsNaN(*got.Value) || math.IsInf(*got.Value, 0) || math.IsInf(*got.Limit, 0), "not JSON")
		}
	})
}

func TestScrapeOfEachTarget(t *testing.T) {
	f := newFarm(t, 12)
	average := ratioOf(0.05)
	average.Name = "average"
	m := f.open(t, quiet(scrapeSpec(eachOf(0.05), average)), f.binding(10))
	res := f.look(t, m, 5*time.Second).Results[0]
	require.Equal(t, Unexercised, res.Verdict, res.Sentence)
	f.serve("*", 1, 1000)
	res = f.look(t, m, 10*time.Second).Results[0]
	require.Equal(t, Pass, res.Verdict, res.Sentence)
	require.Equal(t, "all 10 targets inside, the worst t0 0.1% (1/1,000), limit 5%", res.Sentence)
	f.serve("*", 1, 2000)
	f.serve("t7", 400, 2000)
	r := f.look(t, m, 15*time.Second)
	require.Equal(t, Fail, r.Results[0].Verdict)
	require.Equal(t, "t7 20% (400/2,000), limit 5%; 1 of 10 targets", r.Results[0].Sentence)
	require.Equal(t, Pass, r.Results[1].Verdict, "the average is fine")
}

// A target without data is no harm when it had none before the stage either.
func TestTargetsWithoutDataBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 6)
		h := quiet(scrapeSpec(eachOf(0.05), spec.Check{Name: "queue", Value: "queue", Max: num(4), Each: spec.EachTarget}))
		b := f.binding(4)
		f.extra("*", "queue 1\n")
		f.fail("t1", errors.New("connection refused"))
		var err error
		b.Before, err = f.open(t, h, b).Baseline(t.Context(), f.applied.Add(-time.Minute))
		require.NoError(t, err)
		require.Equal(t, map[string][]string{"errors": {"t1"}, "queue": {"t1"}}, b.Before.Missing)

		m := f.open(t, h, b)
		f.look(t, m, 5*time.Second)
		f.serve("*", 0, 1000)
		r := f.look(t, m, 10*time.Second)
		require.Equal(t, Pass, r.Verdict(), r)
		require.Contains(t, r.Results[1].Sentence, "1 without data, as before the stage")

		f.fail("t2", errors.New("connection refused"))
		f.serve("*", 0, 2000)
		r = f.look(t, m, 15*time.Second)
		require.Equal(t, NoData, r.Results[0].Verdict)
		require.Contains(t, r.Results[0].Sentence, "t2 (its page could not be read: connection refused)")
		require.Equal(t, NoData, r.Results[1].Verdict)

		f.fail("*", errors.New("connection refused"))
		b.Before, err = f.open(t, h, b).Baseline(t.Context(), f.applied.Add(-time.Minute))
		require.NoError(t, err)
		require.Empty(t, b.Before.Missing, "that most are missing excuses nobody")
	})
}

// A look about each target asks one query for all of them, and compares with the control as a
// whole.
func TestPrometheusOfEachTarget(t *testing.T) {
	c := promRatio()
	c.Each, c.Max, c.Against, c.Worse = spec.EachTarget, nil, spec.AgainstControl, num(0.2)
	c.Bad, c.Total = strings.Replace(c.Bad, "sum(", "sum by (instance) (", 1), strings.Replace(c.Total, "sum(", "sum by (instance) (", 1)
	each := func(v0, v1 string) string {
		return success("vector", fmt.Sprintf(`[{"metric":{"instance":"10.0.0.0:80"},"value":[1,%q]},`+
			`{"metric":{"instance":"10.0.0.1:80"},"value":[1,%q]},`+
			`{"metric":{"instance":"10.0.0.9:80"},"value":[1,"7"]}]`, v0, v1))
	}
	res := lookProm(t, promSpec(c), promBinding(4, 2), oracle(func(query string, _ *http.Request) (int, string, io.Reader, error) {
		body := each("1000", "2000")
		switch stamp := fmt.Sprint(looked.Unix()); {
		case strings.HasPrefix(query, "max by (instance) (timestamp("):
			body = each(stamp, stamp)
		case strings.HasPrefix(query, "max(timestamp("):
			body = vector(stamp)
		case strings.HasPrefix(query, "sum(sum by") && strings.Contains(query, "5.."):
			body = vector("88")
		case strings.HasPrefix(query, "sum(sum by"):
			body = vector("22000")
		case strings.Contains(query, "5.."):
			body = each("4", "240")
		}
		return 200, asJSON, strings.NewReader(body), nil
	})).Results[0]
	require.Equal(t, "t1 12% (240/2,000), limit 0.48% (control 0.4% (88/22,000), +20%); 1 of 2 targets", res.Sentence)
	require.Equal(t, Fail, res.Verdict)
	require.Equal(t, []string{
		`sum by (instance) (increase(requests_total{instance=~"10\\.0\\.0\\.0:80|10\\.0\\.0\\.1:80"}[1m]))`,
		`sum by (instance) (increase(requests_total{code=~"5..",instance=~"10\\.0\\.0\\.0:80|10\\.0\\.0\\.1:80"}[1m]))`,
		"sum(sum by (instance) (increase(requests_total{instance=~\"10\\\\.0\\\\.0\\\\.2:80|10\\\\.0\\\\.0\\\\.3:80\"}[1m])))",
		"sum(sum by (instance) (increase(requests_total{code=~\"5..\",instance=~\"10\\\\.0\\\\.0\\\\.2:80|10\\\\.0\\\\.0\\\\.3:80\"}[1m])))",
	}, res.Queries)
	require.Equal(t, []string{`1 series that belong to none of the targets were left out, such as instance="10.0.0.9:80"`}, res.Warnings[:1])
}

func TestTargetsThatEachCannotTellApartAreRefused(t *testing.T) {
	c := promValue()
	c.Each = spec.EachTarget
	b := promBinding(4, 2)
	b.Exposed[1].Address = b.Exposed[0].Address
	_, err := Open(promSpec(c), b, Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, `targets t0 and t1 both appear as instance="10.0.0.0:80", so a check of each target cannot tell them apart`)
	c.Each = ""
	_, err = Open(promSpec(c), b, Deps{Sources: sources, Forms: forms})
	require.NoError(t, err)
}

// Of a large arm each target is asked about all the same, in several queries.
func TestPrometheusOfEachOfManyTargets(t *testing.T) {
	c := spec.Check{Name: "latency", Each: spec.EachTarget, Value: "max by (instance) (latency{$exposed})", Max: num(0.4)}
	for n, says := range map[int]string{
		700:  "t699 0.9 above the limit 0.4; 1 of 700 targets",
		5000: "t4997 0.9 above the limit 0.4; 1 of 2000 targets [read on 2,000 of 5,000 targets]",
	} {
		b := promBinding(n+1, n)
		for i := range b.Exposed {
			b.Exposed[i].Address = fmt.Sprintf("x%05d", i)
		}
		b.Cohort = b.Exposed
		asked := source.Sample(b.Exposed, source.EachSample)
		sick, names := asked[len(asked)-1].Address, regexp.MustCompile("x[0-9]{5}")
		var queries atomic.Int32
		res := lookProm(t, promSpec(c), b, oracle(func(query string, _ *http.Request) (int, string, io.Reader, error) {
			var out []string
			for _, name := range names.FindAllString(strings.Split(query, " or ")[0], -1) {
				v := "0.1"
				switch {
				case strings.Contains(query, "timestamp"):
					v = fmt.Sprint(looked.Unix())
				case name == sick:
					v = "0.9"
				}
				out = append(out, fmt.Sprintf(`{"metric":{"instance":%q},"value":[1,%q]}`, name, v))
			}
			if !strings.Contains(query, "timestamp") {
				queries.Add(1)
			}
			return 200, asJSON, strings.NewReader(success("vector", "["+strings.Join(out, ",")+"]")), nil
		})).Results[0]
		require.Equal(t, Fail, res.Verdict, res.Sentence)
		require.Equal(t, says, res.Sentence)
		require.Equal(t, int32((min(n, source.EachSample)+199)/200), queries.Load())
	}
}
