package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// Where nothing ever fails there is nothing to compare with, in times of it: the rollback has cured
// where far fewer events are bad than were.
func TestComparisonRecoversToNothingBad(t *testing.T) {
	errors := spec.Check{
		Name: "errors", Bad: `requests_total{code=~"5.."}`, Total: "requests_total",
		Against: spec.AgainstControl, Worse: num(0.2), MinSamples: 100,
	}
	for name, test := range map[string]struct {
		share float64 // of the exposed targets' requests that were bad before the rollback
		want  Verdict
	}{
		"a fifth was bad":       {0.2, Pass},
		"few were":              {0.001, Unexercised},
		"nobody knows how many": {0, Unexercised},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFarm(t, 4)
			b := f.binding(2)
			b.Bake, b.Recovering, b.Condemned = time.Minute, true, []Condemned{{Check: "errors", Times: 40, Share: test.share}}
			past := Past{Step: seconds(5)}
			for range 120 { // of the two, control had the few errors there were
				past.Looks = append(past.Looks, []float64{0, 100, 1, 100})
			}
			b.Before.Past = map[string]Past{"errors": past}
			m := f.open(t, quiet(scrapeSpec(errors)), b)
			var res Result
			for n := range 8 {
				for _, target := range f.targets {
					f.serve(target.ID, 0, 60*(n+1))
				}
				res = result(t, f.look(t, m, time.Duration(5*(n+1))*time.Second), "errors")
			}
			require.Equal(t, test.want, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, "exposed 0% (0/840) vs control 0% (0/840): ")
			require.NotContains(t, res.Sentence, "times the usual")
			require.InDelta(t, 1, *res.Estimate, 0)
		})
	}
}

// A minute of a quiet service cannot show that it is not three times as bad as usual, but that it
// is far from a harm that was 40 times the usual.
func TestComparisonRecoversFromGreatHarm(t *testing.T) {
	errors := spec.Check{
		Name: "errors", Bad: `requests_total{code=~"5.."}`, Total: "requests_total",
		Against: spec.AgainstControl, Worse: num(0.2), MinSamples: 100,
	}
	for name, test := range map[string]struct {
		condemned []Condemned
		bad       int // of 1,000 a look
		want      Verdict
	}{
		"great harm is over":     {[]Condemned{{Check: "errors", Times: 40}}, 1, Pass},
		"great harm goes on":     {[]Condemned{{Check: "errors", Times: 40}}, 80, Fail},
		"little harm":            {[]Condemned{{Check: "errors", Times: 2.5}}, 1, Unexercised},
		"another check's harm":   {[]Condemned{{Check: "slow", Times: 40}}, 1, Unexercised},
		"nobody knows how great": {nil, 1, Unexercised},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFarm(t, 4)
			b := f.binding(2)
			b.Bake, b.Recovering, b.Condemned = time.Minute, true, test.condemned
			past := Past{Step: seconds(5)}
			for range 120 { // both arms were alike
				past.Looks = append(past.Looks, []float64{2, 1000, 2, 1000})
			}
			b.Before.Past = map[string]Past{"errors": past}
			m := f.open(t, quiet(scrapeSpec(errors)), b)
			var res Result
			for n := range 8 {
				for i, target := range f.targets {
					bad := 1
					if i < 2 {
						bad = test.bad
					}
					f.serve(target.ID, bad*(n+1), 500*(n+1))
				}
				res = result(t, f.look(t, m, time.Duration(5*(n+1))*time.Second), "errors")
			}
			require.Equal(t, test.want, res.Verdict, res.Sentence)
		})
	}
}

func TestReportOfChecks(t *testing.T) {
	r := Report{Results: []Result{
		{Check: "errors", Verdict: Pass},
		{Check: "traffic", Verdict: Unexercised},
		{Check: "alive", Verdict: Fail},
		{Check: "slow", Verdict: Pass, Advisory: true},
	}}
	for name, test := range map[string]struct {
		checks []string
		want   Verdict
	}{
		"all":                 {nil, Fail},
		"one":                 {[]string{"errors"}, Pass},
		"the worst of two":    {[]string{"errors", "traffic"}, Unexercised},
		"one that fails":      {[]string{"traffic", "alive"}, Fail},
		"one that is missing": {[]string{"errors", "probe"}, NoData},
		"one that advises":    {[]string{"slow"}, NoData},
	} {
		require.Equal(t, test.want, r.Of(test.checks).Verdict(), name)
	}
	require.Equal(t, []Condemned{{Check: "alive"}}, r.Condemned())
	seen := judge.Trace{
		{Pair: sequential.Pair{Exposed: sequential.Counts{Bad: 1, Total: 4}}},
		{Pair: sequential.Pair{Exposed: sequential.Counts{Bad: 2, Total: 6}}},
	}
	require.Equal(t, []Condemned{{Check: "errors", Times: 7, Share: 0.3}},
		Report{Results: []Result{{Check: "errors", Verdict: Fail, Estimate: new(7.0), Trace: seen}}}.Condemned())
	require.Equal(t, []Condemned{{Check: "load"}}, Report{Results: []Result{{Check: "load", Verdict: Fail, Estimate: new(7.0)}}}.Condemned())
}
