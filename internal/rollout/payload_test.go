package rollout

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// However many checks, stages and targets left behind, the result fits into a payload, every target
// is named, and the sentences stay.
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
	require.NotEmpty(t, TrimToPayload(State{Stages: s.Stages[:1]}).Stages[0].Gates[0].Report.Results[0].Queries)
	out := TrimToPayload(s)
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
	require.NotEmpty(t, TrimToPayload(State{Stages: s.Stages[:1]}).Stages[0].Gates[0].Report.Results[0].Trace)
	data, err := json.Marshal(TrimToPayload(s))
	require.NoError(t, err)
	require.Less(t, len(data), 2<<20)
	require.Contains(t, string(data), "sss")
}

// crowd is a list of trouble with n targets, with ids of so many bytes.
func crowd(n, id int) []TargetTrouble {
	out := make([]TargetTrouble, n)
	for i := range out {
		out[i] = TargetTrouble{ID: fmt.Sprintf("%0*d", id, i), Reason: "does not answer: Get \"http://10.12.33.41:8080/<edge>\": " + strings.Repeat("é", 100)}
	}
	return out
}

// With however many targets left out, or behind, a state fits; how many there are is exact, and
// what was there stays as it was. Those of a fleet of usual names are all named.
func TestStatesOfCrowdsFit(t *testing.T) {
	for _, tc := range []struct {
		n, id int
		all   bool
	}{{3, 20, true}, {4000, 20, true}, {9000, 20, true}, {20_000, 20, false}, {100_000, 20, false}, {100_000, 128, false}} {
		list := crowd(tc.n, tc.id)
		s := State{Unreached: list, Outcome: &Outcome{Unreached: list, NotReverted: list, NotBack: tc.n}}
		out := TrimToPayload(s)
		data, err := json.Marshal(out)
		require.NoError(t, err)
		require.Less(t, len(data), maxState, "%+v", tc)
		require.Equal(t, []int{tc.n, tc.n, tc.n}, []int{out.LeftOut, out.Outcome.LeftOut, out.Outcome.NotBack})
		if tc.all {
			require.Len(t, out.Unreached, tc.n)
		}
		for _, got := range [][]TargetTrouble{out.Unreached, out.Outcome.Unreached, out.Outcome.NotReverted} {
			require.Greater(t, len(got), 2)
			require.Equal(t, list[2], got[2])
		}
		require.Equal(t, crowd(1, tc.id)[0], s.Unreached[0])
		require.NotEmpty(t, s.Unreached[tc.n-1].Reason, "what is shown is a copy")
	}
}

// The evidence gives way step by step, the sentences of the newest gates last.
func TestEvidenceFits(t *testing.T) {
	var s State
	for range 20 {
		st := StageState{Name: "stage"}
		for range MaxGates {
			g := Gate{Why: strings.Repeat("w", 2000)}
			for range 30 {
				g.Report.Results = append(g.Report.Results, health.Result{
					Check: "errors", Sentence: strings.Repeat("s", 200), Silent: []string{"t1", "t2"}, Queries: []string{strings.Repeat("q", 1000)},
				})
			}
			st.Gates = append(st.Gates, g)
		}
		s.Stages = append(s.Stages, st)
	}
	s.Outcome = &Outcome{Unreached: crowd(9000, 20), NotReverted: crowd(20_000, 20)}
	out := TrimToPayload(s)
	data, err := json.Marshal(out)
	require.NoError(t, err)
	require.Less(t, len(data), 2<<20)
	last := out.Stages[0].Gates[MaxGates-1]
	require.Len(t, last.Why, 2000)
	require.Len(t, last.Report.Results, 30)
	require.NotEmpty(t, last.Report.Results[0].Sentence)
	require.Len(t, s.Stages[0].Gates[0].Report.Results[0].Queries, 1, "what is shown is a copy")
	require.Len(t, s.Stages[0].Gates[0].Why, 2000)
}
