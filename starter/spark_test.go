package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

func TestSparklines(t *testing.T) {
	var trace judge.Trace
	for i := range 8 {
		trace = append(trace, judge.Point{Pair: sequential.Pair{
			Exposed: sequential.Counts{Bad: float64(i), Total: 100}, Control: sequential.Counts{Bad: 7, Total: 1000},
		}, Looks: 1})
	}
	trace[2].Control = sequential.Counts{}
	r := health.Result{Check: "errors", Verdict: health.Fail, Trace: trace, Value: new(3.1), Limit: new(1.2), Samples: 800}
	require.Equal(t, []string{
		"exposed ▁▂▃▄▅▆▇█│ FAIL, 7% at the end, at most 7%",
		"control ▂▂▁▂▂▂▂▂│ 0.7% at the end, at most 0.7%",
	}, sparklines(r, false))
	require.Equal(t, "3.1× (limit 1.2×)", numbers(r))
	r.Trace = trace[:1]
	require.Empty(t, sparklines(r, false))
	r.Trace = make(judge.Trace, 3)
	require.Equal(t, "exposed ▁▁▁│ FAIL, 0% at the end, at most 0%", sparklines(r, false)[0])
	r.Advisory = true
	require.Contains(t, checkName(r, false), "errors (advisory)")
}
