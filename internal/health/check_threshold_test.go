package health

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

func counts(bad, total float64) ratio {
	return ratio{bad: source.Reading{Value: bad}, total: source.Reading{Value: total}}
}

func TestJudgeRatioAgainstALimit(t *testing.T) {
	for _, tc := range []struct {
		name     string
		is       ratio
		tolerate int
		streak   int
		want     Verdict
		says     string
	}{
		{"fine", counts(4, 1000), 0, 0, Pass, "0.4% (4/1,000), limit 5%"},
		{"at the limit", counts(50, 1000), 0, 0, Pass, "5% (50/1,000), limit 5%"},
		{"just above", counts(50_001, 1_000_000), 0, 0, Fail, "5.0001% (50,001/1,000,000), limit 5%"},
		{"above", counts(412, 1329), 0, 0, Fail, "31% (412/1,329), limit 5%"},
		{"above, on too few bad events", counts(4, 50), 0, 0, Unexercised, "50 events on the exposed targets, at least 100 are needed"},
		{"above, 5 bad are enough", counts(6, 100), 0, 0, Fail, "6% (6/100), limit 5%"},
		{"too little traffic, all of it bad", counts(99, 99), 0, 0, Unexercised, "99 events on the exposed targets, at least 100 are needed"},
		{"no traffic", counts(0, 0), 0, 0, Unexercised, "0 events on the exposed targets, at least 100 are needed"},
		{"first breach tolerated", counts(60, 1000), 2, 0, Unexercised, "6% (60/1,000), limit 5%, breach 1 of 2 tolerated"},
		{"last breach tolerated", counts(60, 1000), 2, 1, Unexercised, "6% (60/1,000), limit 5%, breach 2 of 2 tolerated"},
		{"one breach more", counts(60, 1000), 2, 2, Fail, "6% (60/1,000), limit 5%"},
		{"more bad than events is harm", counts(300, 200), 0, 0, Fail, "150% (300/200), limit 5%"},
		{"no total", ratio{total: source.NoData("q", "the query found no series")}, 0, 0, NoData, "the query found no series"},
		{"stale total", ratio{total: source.Reading{Verdict: Stale, Why: "old"}}, 0, 0, Stale, "old"},
		{"broken bad", ratio{bad: source.NoData("q", "the source answered NaN"), total: source.Reading{Value: 1000}}, 0, 0, NoData, "the source answered NaN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := ratioOf(0.05)
			c.Tolerate = tc.tolerate
			got := judgeRatio(c, tc.is, tc.streak)
			require.Equal(t, tc.says, got.Sentence)
			require.Equal(t, tc.want, got.Verdict)
			require.Equal(t, tc.want == Unexercised && tc.tolerate > 0, got.Pending)
		})
	}
}

func TestFewerThanFiveBadEventsEstablishNothing(t *testing.T) {
	c := ratioOf(0.01)
	got := judgeRatio(c, counts(4, 100), 0)
	require.Equal(t, Unexercised, got.Verdict)
	require.False(t, got.Breach)
	require.Equal(t, "4% (4/100), limit 1%; fewer than 5 bad events establish no harm, "+
		"but are more than chance explains: more events are needed", got.Sentence)
	got = judgeRatio(c, counts(2, 150), 0)
	require.Equal(t, Pass, got.Verdict)
	require.Equal(t, "1.3% (2/150), limit 1%; fewer than 5 bad events establish no harm", got.Sentence)
	require.Equal(t, Fail, judgeRatio(ratioOf(0), counts(1, 100), 0).Verdict, "none at all is allowed")
	require.Equal(t, Fail, judgeRatio(c, counts(5, 100), 0).Verdict)
}

func TestJudgeValue(t *testing.T) {
	for _, tc := range []struct {
		name     string
		max, min *spec.Number
		value    float64
		streak   int
		want     Verdict
		says     string
	}{
		{"inside", num(0.4), nil, 0.31, 0, Pass, "0.31, limit 0.4"},
		{"at the limit", num(0.4), nil, 0.4, 0, Pass, "0.4, limit 0.4"},
		{"tolerated", num(0.4), nil, 0.52, 0, Unexercised, "0.52 above the limit 0.4, breach 1 of 2 tolerated"},
		{"tolerated again", num(0.4), nil, 0.52, 1, Unexercised, "0.52 above the limit 0.4, breach 2 of 2 tolerated"},
		{"once too often", num(0.4), nil, 0.52, 2, Fail, "0.52 above the limit 0.4"},
		{"a hair above", num(0.4), nil, 0.4000001, 2, Fail, "0.4000001 above the limit 0.4"},
		{"below", nil, num(3), 2, 2, Fail, "2 below the limit 3"},
		{"enough", nil, num(3), 12345.6, 2, Pass, "12,346, at least 3"},
		{"below a range", num(9), num(3), -1.5, 2, Fail, "-1.5 below the limit 3"},
		{"inside a range", num(9), num(3), 4, 0, Pass, "4, limit 9"},
		{"no limit", nil, nil, 4, 0, NoData, "it has no limit to judge by"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := spec.Check{Name: "p99", Value: "p99", Max: tc.max, Min: tc.min, Tolerate: 2}
			got := judgeValue(c, source.Reading{Value: tc.value}, tc.streak)
			require.Equal(t, tc.says, got.Sentence)
			require.Equal(t, tc.want, got.Verdict)
		})
	}
}

// Whatever is read, only numbers that were counted pass, and none outside the limit that enough
// events establish does.
func TestNoVerdictNoPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e300, 5, 100}))
		read := func(name string) source.Reading {
			return source.Reading{
				Value:   number.Draw(t, name),
				Verdict: rapid.SampledFrom([]Verdict{"", "", "", NoData, Stale, Unexercised}).Draw(t, name+" verdict"),
			}.Counted()
		}
		a := ratio{bad: read("bad"), total: read("total")}
		c := ratioOf(0.05)
		all := []source.Reading{a.bad, a.total}
		got := judgeRatio(c, a, rapid.IntRange(0, 3).Draw(t, "streak"))
		require.NotEmpty(t, got.Verdict)
		for _, r := range all {
			if r.Verdict != "" {
				require.NotEqual(t, Pass, got.Verdict)
				require.NotEqual(t, Fail, got.Verdict)
			}
		}
		if got.Verdict == Pass {
			require.GreaterOrEqual(t, a.total.Value, 100.0)
			require.True(t, *got.Value <= *got.Limit || a.bad.Value < minBad)
		}
		if got.Value != nil {
			require.False(t, math.IsNaN(*got.Value) || math.IsInf(*got.Value, 0) || math.IsInf(*got.Limit, 0), "not JSON")
		}
	})
}

func TestJudgeTraffic(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before := func(exposed, control float64) Baseline {
		return Baseline{From: begin, At: begin.Add(100 * time.Second), Exposed: exposed, Control: control}
	}
	old := source.Reading{Verdict: Stale, Why: "the newest sample is 2m0s old, at most 30s is accepted"}
	for _, tc := range []struct {
		name    string
		before  Baseline
		now     requests
		Control bool
		want    Verdict
		says    string
	}{
		{"keeps its share", before(100, 900), requests{mine: 95, others: 905}, true, Pass, "9.5% of all requests, 10% before the stage"},
		{"loses some", before(100, 900), requests{mine: 51, others: 949}, true, Pass, "5.1% of all requests, 10% before the stage"},
		{"loses more than half", before(10_000, 90_000), requests{mine: 480, others: 9520}, true, Fail, "4.8% of all requests, 10% before the stage; less than 50% is left"},
		{"less, but little was measured", before(12, 900), requests{mine: 40, others: 10_000}, true, Pass, "0.4% of all requests, 1.3% before the stage"},
		{"vanishes, and little was measured", before(12, 900), requests{others: 10_000}, true, Fail, "0% of all requests, 1.3% before the stage; less than 50% is left"},
		{"vanishes", before(100, 900), requests{mine: 0, others: 1000}, true, Fail, "0% of all requests, 10% before the stage; less than 50% is left"},
		{"vanishes with its series", before(100, 900), requests{mine: 0, others: 1000, lost: true}, true, Fail, "0% of all requests, 10% before the stage; less than 50% is left"},
		{"too little to tell", before(100, 900), requests{mine: 0, others: 150}, true, Unexercised, "0% of all requests, 10% before the stage; 15 requests expected, too few for their absence to mean anything"},
		{"nothing anywhere any more", before(100, 900), requests{}, true, Unexercised, "0% of all requests, 10% before the stage; 0 requests expected, too few for their absence to mean anything"},
		{"none before, none now", before(0, 900), requests{others: 1000}, true, Unexercised, "the exposed targets had no traffic before the stage and have none now"},
		{"none before, some now", before(0, 900), requests{mine: 10, others: 1000}, true, Pass, "0.99% of all requests, 0% before the stage"},
		{"kept, but not lately", before(100, 900), requests{mine: 100, others: 900, doubt: old}, true, Stale, "" + old.Why},
		{"lost, and not lately", before(100, 900), requests{mine: 1, others: 900, doubt: old}, true, Fail, "0.11% of all requests, 10% before the stage; less than 50% is left"},
		{"all but a few are exposed and lose most", before(9000, 1000), requests{mine: 1200, others: 600}, true, Fail, "20 requests/s, 90 expected from before the stage; less than 50% is left"},
		{"all but a few are exposed, and a quiet hour comes", before(9000, 1000), requests{mine: 1200, others: 150}, true, Pass, "89% of all requests, 90% before the stage"},
		{"a busy hour comes", before(100, 900), requests{mine: 100, others: 1500}, true, Pass, "6.2% of all requests, 10% before the stage"},
		{"not measured before", Baseline{}, requests{mine: 100, others: 900}, true, NoData, "traffic before the stage is unknown: it was not measured"},
		{"not measurable before", Baseline{From: begin, At: begin.Add(time.Minute), Traffic: "the query found no series"}, requests{mine: 100, others: 900}, true, NoData, "traffic before the stage is unknown: the query found no series"},
		{"measured over no time", Baseline{From: begin, At: begin, Exposed: 5}, requests{mine: 100, others: 900}, true, NoData, "requests were counted over no time"},
		{"no control, keeps its rate", before(1000, 0), requests{mine: 600}, false, Pass, "10 requests/s, 10 before the stage (no control is left: the weaker comparison)"},
		{"no control, loses it", before(1000, 0), requests{mine: 200}, false, Fail, "3.333 requests/s, 10 before the stage (no control is left: the weaker comparison); less than 50% is left"},
		{"no control, no series", before(1000, 0), requests{lost: true}, false, NoData, "no series of the query is left: missing traffic cannot be told from missing metrics"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.now.span = time.Minute
			got := judgeTraffic(Result{Check: "traffic"}, tc.before, tc.now, tc.Control, 1e-6)
			require.Equal(t, tc.says, got.Sentence)
			require.Equal(t, tc.want, got.Verdict)
		})
	}
}
