package health

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestUsualRows(t *testing.T) {
	end := looked
	at := func(minutes int) time.Time { return end.Add(-time.Duration(minutes) * time.Minute) }
	rows := [][]float64{{1}, {2}, {3}, {4}, {5}, {6}} // of a minute each
	for name, test := range map[string]struct {
		spans []source.EarlierRun
		most  int
		want  []float64
	}{
		"none":                     {nil, 6, []float64{1, 2, 3, 4, 5, 6}},
		"as many as are wanted":    {nil, 4, []float64{3, 4, 5, 6}},
		"one, and a step after it": {[]source.EarlierRun{{From: at(5), To: at(4)}}, 6, []float64{1, 4, 5, 6}},
		"further back, to make up": {[]source.EarlierRun{{From: at(3), To: at(2)}}, 4, []float64{1, 2, 3, 6}},
		"a moment": {
			[]source.EarlierRun{{From: at(3).Add(time.Second), To: at(3).Add(2 * time.Second)}}, 6, []float64{1, 2, 3, 6},
		},
		"two":                        {[]source.EarlierRun{{From: at(6), To: at(5)}, {From: at(2), To: at(1)}}, 6, []float64{3, 4}},
		"until now":                  {[]source.EarlierRun{{From: at(2), To: at(0)}}, 6, []float64{1, 2, 3, 4}},
		"all of it":                  {[]source.EarlierRun{{From: at(60), To: at(0)}}, 6, nil},
		"long ago":                   {[]source.EarlierRun{{From: at(60), To: at(50)}}, 6, []float64{1, 2, 3, 4, 5, 6}},
		"from a clock that is ahead": {[]source.EarlierRun{{From: at(-5), To: at(-9)}}, 6, []float64{1, 2, 3, 4, 5, 6}},
	} {
		var got []float64
		for _, row := range usualRows(rows, test.most, end, time.Minute, test.spans) {
			got = append(got, row[0])
		}
		require.Equal(t, test.want, got, name)
	}
}

// A bad release that was taken back minutes ago is not how targets usually are.
func TestPastWithoutEarlierRollouts(t *testing.T) {
	bad := source.EarlierRun{From: looked.Add(-8 * time.Minute), To: looked.Add(-5 * time.Minute)}
	server := pastOf(func(query string) map[string]func(at, window float64) float64 {
		return map[string]func(at, window float64) float64{"": func(at, window float64) float64 {
			if !strings.Contains(query, "5..") {
				return 100 * window
			}
			from, to := max(at-window, float64(bad.From.Unix())), min(at, float64(bad.To.Unix()))
			if !strings.Contains(query, `10\\.0\\.0\\.0:80`) {
				to = from
			}
			return window + 30*max(0, to-from)
		}}
	})
	past := func(earlier ...source.EarlierRun) [][]float64 {
		b := promBinding(8, 2)
		b.Bake, b.Earlier = 10*time.Minute, earlier
		m, err := Open(promSpec(against()), b, Deps{Sources: sources, Forms: forms, Transport: server})
		require.NoError(t, err)
		before, err := m.Measure(t.Context(), looked)
		require.NoError(t, err)
		return before.Past["errors"].Looks
	}
	worst := func(rows [][]float64) (most float64) {
		for _, row := range rows {
			most = max(most, row[0])
		}
		return most
	}
	second := promBinding(8, 2)
	second.Bake, second.Cohort, second.Began = 10*time.Minute, second.Exposed[1:], bad.From
	h, d := promSpec(against()), Deps{Sources: sources, Forms: forms, Transport: server}
	m, err := Open(h, second, d)
	require.NoError(t, err)
	before, err := m.Measure(t.Context(), looked)
	require.NoError(t, err)
	require.InDelta(t, 15, worst(before.Past["errors"].Looks), 0.1, "what the canary showed since the rollout began is left out")
	require.Len(t, past(), 1440, "six hours")
	require.Greater(t, worst(past()), 400.0)
	require.Len(t, past(bad), 1440, "as much is read from further back")
	require.InDelta(t, 15, worst(past(bad)), 0.1)
	require.Empty(t, past(source.EarlierRun{From: looked.Add(-12 * time.Hour), To: looked}), "nothing is known of then")
}

// The look before the first stage does not reach back into an earlier rollout.
func TestLookBeforeTheChangeBeginsAfterEarlierRollouts(t *testing.T) {
	b := promBinding(8, 2)
	b.Since = time.Time{}
	b.Earlier = []source.EarlierRun{
		{From: looked.Add(-time.Hour), To: looked.Add(-time.Minute)},
		{From: looked.Add(-2 * time.Hour), To: looked.Add(-time.Hour)},
	}
	h := promSpec(promRatio())
	h.StaleAfter = spec.Duration(time.Hour)
	asked := func(earlier []source.EarlierRun) string {
		b.Earlier = earlier
		r := lookProm(t, h, b, answers(vector("1000")))
		return strings.Join(r.Results[0].Queries, "\n")
	}
	all := asked(b.Earlier)
	require.Contains(t, all, "[1m")
	require.Contains(t, asked(nil), "[5m")
	require.Contains(t, asked([]source.EarlierRun{{From: looked.Add(-time.Hour), To: looked}}), "[15s", "a look at least")
}
