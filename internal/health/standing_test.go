package health

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// What a comparison shows two looks into a bake, at 28% of bad requests against 0.7%.
func TestMidBakeSaysNoPass(t *testing.T) {
	criteria := judge.Criteria{Worse: 3, Alpha: 0.001 / 12, Every: 15 * time.Second, Bake: 10 * time.Minute, MinSamples: 10}
	j := judge.New(criteria, nil)
	for i := range 2 {
		j.See(judge.ArmCounts{
			At: time.Duration(i+1) * 15 * time.Second, Exposed: &sequential.Counts{Bad: 5, Total: 18}, Control: &sequential.Counts{Bad: 1, Total: 143},
		})
	}
	res := Result{Check: "errors"}.of(j.Outcome(30*time.Second), criteria)
	require.Equal(t, Pass, res.Verdict, "no harm is established")
	report := Report{Results: []Result{res, {Check: "alive", Verdict: Pass}}}.MidBake(false)
	require.Regexp(t, `^suspicious \(p 0\.0\d+ unless errors come in bursts\)$`, report.Results[0].Word())
	require.Equal(t, "ok so far", report.Results[1].Word())
	data, err := json.Marshal(report)
	require.NoError(t, err)
	require.NotContains(t, string(data), "PASS")
	require.NotEqual(t, Pass, report.Verdict(), "a look in mid-bake promotes nothing")
	require.True(t, report.Clear(), "at the end of the bake this would pass")
	var read Report
	require.NoError(t, json.Unmarshal(data, &read))
	require.True(t, read.Clear(), "also after a trip over the wire")
}

// What of a check is shown while a bake goes on, beside its verdict at a gate.
func TestStandings(t *testing.T) {
	four := spec.Check{Name: "p99", Value: "x", Max: new(spec.Number(4)), Tolerate: 2}
	few := spec.Check{Name: "errors", Bad: "x", Total: "y", Max: new(spec.Number(0.01))}
	count := func(n float64) source.Reading { return source.Reading{Value: n} }
	for name, c := range map[string]struct {
		of      Result
		verdict Verdict
		word    string
		clear   bool
	}{
		"nothing found":            {Result{Verdict: Pass}, "", "ok so far", true},
		"harm":                     {Result{Verdict: Fail, Suspicion: "p 0.01"}, Fail, "FAIL", false},
		"no data":                  {Result{Verdict: NoData}, NoData, "NODATA", false},
		"too little traffic":       {Result{Verdict: Unexercised}, Unexercised, "not yet", false},
		"suspicious, would pass":   {Result{Verdict: Pass, Suspicion: "p 0.03"}, "", "suspicious (p 0.03)", true},
		"a tolerated breach":       {judgeValue(four, count(5), 1).Result, Unexercised, "suspicious (breach 2 of 2 tolerated)", false},
		"few errors, by chance":    {judgeRatio(few, ratio{count(2), count(150)}, 0).Result, "", "suspicious (1.3%)", true},
		"few errors, not by luck":  {judgeRatio(few, ratio{count(4), count(40)}, 0).Result, Unexercised, "suspicious (10%)", false},
		"inside its limit":         {judgeRatio(few, ratio{count(1), count(150)}, 0).Result, "", "ok so far", true},
		"nothing was ever judged":  {Result{}, "", "", false},
		"an advisory one is shown": {Result{Verdict: Pass, Advisory: true}, "", "ok so far", false},
	} {
		t.Run(name, func(t *testing.T) {
			report := Report{Results: []Result{c.of}}.MidBake(false)
			require.Equal(t, c.verdict, report.Results[0].Verdict)
			require.Equal(t, c.word, report.Results[0].Word(), c.of.Sentence)
			require.Equal(t, c.clear, report.Clear())
		})
	}
	require.False(t, Report{}.MidBake(false).Clear(), "no check has answered")
	for _, v := range []Verdict{NoData, Stale} { // a source may have nothing yet at the first look
		report := Report{Results: []Result{{Verdict: v}}}.MidBake(true)
		require.Equal(t, "not yet", report.Results[0].Word())
		require.False(t, report.Clear())
	}
}
