package workflows

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// However many checks, stages and targets left behind, the result fits into a
// payload, every target is named, and the sentences stay.
func TestTheLargestStateFits(t *testing.T) {
	var s State
	for range 20 {
		var r health.Report
		for range 30 {
			r.Results = append(r.Results, health.Result{
				Check: "errors", Verdict: health.Fail, Sentence: strings.Repeat("s", 200),
				Queries: []string{strings.Repeat("q", 1000), strings.Repeat("q", 1000), strings.Repeat("q", 1000), strings.Repeat("q", 1000)},
			})
		}
		s.Stages = append(s.Stages, StageState{Name: "stage", Gates: []Gate{{Report: r}}})
	}
	s.Outcome = &Outcome{}
	for range 20_000 {
		s.Outcome.NotReverted = append(s.Outcome.NotReverted, TargetTrouble{ID: strings.Repeat("i", 20)})
	}
	require.NotEmpty(t, fit(State{Stages: s.Stages[:1]}).Stages[0].Gates[0].Report.Results[0].Queries)
	out := fit(s)
	data, err := json.Marshal(out)
	require.NoError(t, err)
	require.Less(t, len(data), 2<<20)
	require.Len(t, out.Outcome.NotReverted, 20_000)
	require.NotEmpty(t, out.Stages[0].Gates[0].Report.Results[0].Sentence)
}

// Drawings are evidence that takes room, too.
func TestDrawingsFit(t *testing.T) {
	point := judge.Point{Pair: sequential.Pair{
		Exposed: sequential.Counts{Bad: 1234.123456789012, Total: 98765.12345678901}, Control: sequential.Counts{Bad: 1234.123456789012, Total: 98765.12345678901},
	}, Looks: 100}
	raw, err := json.Marshal(point)
	require.NoError(t, err)
	require.Less(t, len(raw), pointSize)
	var s State
	for range 20 {
		var r health.Report
		for range 30 {
			res := health.Result{Check: "errors", Verdict: health.Fail, Sentence: strings.Repeat("s", 200)}
			for range 40 {
				res.Trace = append(res.Trace, point)
			}
			r.Results = append(r.Results, res)
		}
		s.Stages = append(s.Stages, StageState{Name: "stage", Gates: []Gate{{Report: r}}})
	}
	require.NotEmpty(t, fit(State{Stages: s.Stages[:1]}).Stages[0].Gates[0].Report.Results[0].Trace)
	data, err := json.Marshal(fit(s))
	require.NoError(t, err)
	require.Less(t, len(data), 2<<20)
	require.Contains(t, string(data), "sss")
}
