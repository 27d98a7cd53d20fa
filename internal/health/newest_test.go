package health

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// incident answers for targets of which so many of 100 requests a second fail, but in an incident
// that was over so long before the look half of them do.
func incident(over time.Duration, requests float64) transport {
	end := looked.Add(-over)
	return func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		query := form.Get("query")
		answer := vector()
		switch span := spanForm.FindStringSubmatch(query); {
		case whose(query), strings.HasSuffix(query, " > 0"), strings.Contains(query, " unless "):
		case strings.Contains(query, "timestamp("):
			answer = vector(fmt.Sprint(looked.Unix()))
		default:
			minutes, _ := strconv.ParseFloat(span[1], 64)
			secs, _ := strconv.ParseFloat(span[2], 64)
			long := 60*minutes + secs
			n := long * requests
			if strings.Contains(query, "5..") {
				n = requests/1000*long + requests/2*max(0, end.Sub(looked.Add(-time.Duration(long*float64(time.Second)))).Seconds())
			}
			answer = vector(fmt.Sprint(n))
		}
		return replied(r, answer)
	}
}

// Before anything is changed, an incident that has ended refuses no start once the newest part of
// the window is without harm; until then the refusal says from when it can start.
func TestIncidentThatHasEnded(t *testing.T) {
	objective := promRatio()
	objective.Max, objective.Objective, objective.Burn = nil, num(0.99), 5
	fixed := promRatio()
	fixed.Bad, fixed.Total = strings.ReplaceAll(fixed.Bad, "$window", "5m"), strings.ReplaceAll(fixed.Total, "$window", "5m")
	for name, tc := range map[string]struct {
		check    spec.Check
		over     time.Duration
		requests float64
		want     Verdict
		says     string
	}{
		"ended two minutes ago":       {promRatio(), 2 * time.Minute, 100, Pass, "0.1% (6/6,000), limit 5% in the last 1m; until then, in the last 5m: 30% (9,030/30,000), limit 5%"},
		"ended a minute ago":          {promRatio(), time.Minute, 100, Pass, "0.1% (6/6,000)"},
		"ended half a minute ago":     {promRatio(), 30 * time.Second, 100, Fail, "can start at 12:01:30 UTC at the earliest: 1m without harm suffice"},
		"goes on":                     {promRatio(), 0, 100, Fail, "can start at 12:02:00 UTC at the earliest: 1m without harm suffice"},
		"too little since":            {promRatio(), 2 * time.Minute, 1, Fail, "can start at 12:05:00 UTC at the earliest: 5m without harm suffice"},
		"an objective":                {objective, 2 * time.Minute, 100, Pass, "in the last 1m; until then"},
		"a query that has its window": {fixed, 2 * time.Minute, 100, Fail, "can start at 12:02:00 UTC at the earliest"},
	} {
		t.Run(name, func(t *testing.T) {
			b := promBinding(8, 8)
			b.Since = time.Time{}
			m, err := Open(promSpec(tc.check), b, Deps{Sources: sources, Forms: forms, Transport: incident(tc.over, tc.requests)})
			require.NoError(t, err)
			r, err := m.Look(t.Context(), looked)
			require.NoError(t, err)
			if tc.check.Objective != nil { // it takes some looks
				r.Results[0].Verdict = Fail
			}
			require.Equal(t, Fail, r.Results[0].Verdict, r.Results[0].Sentence)
			newest := m.Newest(t.Context(), r)
			require.Equal(t, tc.want, newest.Results[0].Verdict, newest.Results[0].Sentence)
			require.Contains(t, newest.Results[0].Sentence, tc.says)
			require.Equal(t, Fail, r.Results[0].Verdict, "the report is as it was")
			if tc.want == Pass {
				require.Equal(t, looked.Add(-time.Minute), newest.Over)
			}
		})
	}
	f := newFarm(t, 4)
	b := f.binding(4)
	b.Since = time.Time{}
	r := Report{At: looked, Results: []Result{{Check: "errors", Verdict: Fail, Sentence: "bad"}}}
	newest := f.open(t, quiet(scrapeSpec(ratioOf(0))), b).Newest(t.Context(), r)
	require.Equal(t, r, newest, "pages have no past")
}

// Harm that had ended before the stage is not what its targets are compared with.
func TestEachIsNotComparedWithAnIncident(t *testing.T) {
	c := promRatio()
	c.Each, c.Max, c.Against, c.Worse = spec.EachTarget, nil, spec.AgainstControl, num(0.2)
	c.Bad, c.Total = strings.Replace(c.Bad, "sum(", "sum by (instance) (", 1), strings.Replace(c.Total, "sum(", "sum by (instance) (", 1)
	for name, tc := range map[string]struct {
		earlier []source.EarlierRun
		want    float64
	}{
		"known":                   {[]source.EarlierRun{{From: looked.Add(-5 * time.Minute), To: looked.Add(-2 * time.Minute)}}, 0.001},
		"too near to be left out": {[]source.EarlierRun{{From: looked.Add(-5 * time.Minute), To: looked.Add(-30 * time.Second)}}, 0.301},
		"not known":               {nil, 0.301},
	} {
		b := promBinding(8, 8)
		b.Earlier = tc.earlier
		m, err := Open(promSpec(c), b, Deps{Sources: sources, Forms: forms, Transport: incident(2*time.Minute, 100)})
		require.NoError(t, err)
		before, err := m.Measure(t.Context(), looked)
		require.NoError(t, err)
		r := before.Ratios["errors"]
		require.Empty(t, r.Missing, name)
		require.InDelta(t, tc.want, r.Bad/r.Total, 0.0005, name)
	}
}
