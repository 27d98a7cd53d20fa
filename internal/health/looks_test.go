package health

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// A look that cannot be judged neither lengthens a row of breaches nor ends it.
func TestLooksWithoutDataLeaveTheStreakAlone(t *testing.T) {
	f := newFarm(t, 2)
	h := quiet(scrapeSpec(spec.Check{Name: "queue", Value: "queue", Max: num(4), Tolerate: 2}))
	m := f.open(t, h, f.binding(1))
	for i, look := range []struct {
		page string
		want Verdict
	}{
		{"queue 5\n", Unexercised},
		{"queue NaN\n", NoData},
		{"queue 5\n", Unexercised},
		{"", NoData},
		{"queue 5 1000\n", Stale},
		{"queue 5\n", Fail},
		{"queue 4\n", Pass},
		{"queue 5\n", Unexercised},
		{"queue 4\n", Pass},
		{"queue 5\n", Unexercised},
		{"queue 5\n", Unexercised},
		{"queue 5\n", Fail},
	} {
		f.page("*", look.page)
		res := f.look(t, m, time.Duration(5*(i+1))*time.Second).Results[0]
		require.Equal(t, look.want, res.Verdict, "look %d: %s", i, res.Sentence)
		require.Equal(t, look.want == Unexercised, res.Pending)
	}
}

// The control is asked about itself, whichever matcher an expression uses.
func TestCohortStandsForTheControlOnItsOwnArm(t *testing.T) {
	c := promRatio()
	c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.2)
	c.Bad, c.Total = strings.ReplaceAll(c.Bad, "$exposed", "$cohort"), strings.ReplaceAll(c.Total, "$exposed", "$cohort")
	res := lookProm(t, promSpec(c), promBinding(4, 2), oracle(func(query string, _ *http.Request) (int, string, io.Reader, error) {
		value := fmt.Sprint(looked.Unix())
		if !strings.HasPrefix(query, "max(timestamp(") {
			value = map[bool]string{true: "50", false: "1000"}[strings.Contains(query, "5..") && strings.Contains(query, "0\\\\.0:80")]
		}
		return http.StatusOK, asJSON, strings.NewReader(vector(value)), nil
	})).Results[0]
	require.Len(t, res.Queries, 4)
	for i, q := range res.Queries {
		require.Equal(t, i < 2, strings.Contains(q, `0\\.0:80`), q)
		require.Equal(t, i >= 2, strings.Contains(q, `0\\.3:80`), q)
	}
}

// Requests of pages that could not be read are not requests that were lost.
func TestTrafficIsScaledToThePagesThatWereRead(t *testing.T) {
	f := newFarm(t, 8)
	b := f.binding(4)
	b.Before = Baseline{From: f.applied.Add(-time.Minute), At: f.applied, Exposed: 1200, Control: 1200}
	m := f.open(t, scrapeSpec(ratioOf(0.05)), b)
	f.look(t, m, 5*time.Second)
	f.fail("t0", errors.New("connection refused"))
	f.fail("t1", errors.New("connection refused"))
	f.serve("*", 0, 100)
	res := result(t, f.look(t, m, 10*time.Second), spec.CheckTraffic)
	require.Equal(t, "50% of all requests, 50% before the stage", res.Sentence)
	require.InDelta(t, 400, res.Samples, 0.001)
}
