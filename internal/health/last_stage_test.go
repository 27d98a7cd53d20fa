package health

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// A late joiner whose identity is taken is refused by Fit: Open would refuse the whole sweep.
func TestFitKnowsChecksOfMeans(t *testing.T) {
	h, b := promSpec(orders()), promBinding(20, 20)
	h.Identify.Value = "{{label.host}}"
	for i := range b.Exposed {
		b.Exposed[i].Labels = map[string]string{"host": fmt.Sprint("h", i)}
	}
	late := fleet.Target{ID: "late", Address: "10.0.1.1:80", Labels: map[string]string{"host": "h3"}}
	err := CheckIdentity(h, kinds, b.Exposed)(late)
	b.Cohort, b.Control = []fleet.Target{late}, nil
	b.Exposed = append(b.Exposed, late)
	_, open := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: shops(func(int) float64 { return 1 })})
	require.Error(t, open)
	require.Error(t, err, "Fit lets it in, and then Open says: %s", open)
}

// A check of means could never decide about two late joiners, so it does not decide there.
func TestSweepOfTooFewForMeans(t *testing.T) {
	h, b := promSpec(orders()), promBinding(40, 40)
	h.StaleAfter = seconds(7200)
	h.FalseRollbackRate = 0.01
	b.Stage, b.Cohort, b.Control = spec.StageSweep, b.Exposed[38:], nil
	b.Since, b.Bake, b.Stages = looked, 5*time.Minute, 3
	b.Before.Means = map[string]map[string]float64{"orders": {"t38": 100, "t39": 100}}
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: shops(func(i int) float64 { return 100 })})
	require.NoError(t, err)
	var res Result
	for n := range 40 {
		r, err := m.Look(t.Context(), looked.Add(time.Duration(15*(n+1))*time.Second))
		require.NoError(t, err)
		res = r.Results[0]
	}
	require.Equal(t, Unexercised, res.Verdict, res.Sentence)
	require.True(t, res.Advisory)
	require.Contains(t, res.Sentence, "it does not decide about so few that joined late")
}

type pastServer func(query string, form url.Values, r *http.Request) (int, string, io.Reader, error)

func (o pastServer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	if whose(form.Get("query")) {
		o = func(string, url.Values, *http.Request) (int, string, io.Reader, error) {
			return http.StatusOK, asJSON, strings.NewReader(vector()), nil
		}
	}
	status, kind, answer, err := o(form.Get("query"), form, r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {kind}},
		Body: io.NopCloser(answer), Request: r,
	}, nil
}

var spanForm = regexp.MustCompile(`\[(?:(\d+)m)?(?:(\d+)s)?\]`)

// sized answers what a histogram counts of 10 requests a second of each target that a query names:
// all of them, or those in the bucket of 0.1 s, which are a share of each target's.
func sized(n int, share func(i int) float64) pastServer {
	return func(query string, form url.Values, r *http.Request) (int, string, io.Reader, error) {
		ranged := strings.HasSuffix(r.URL.Path, "query_range")
		if strings.HasPrefix(query, "max(timestamp(") {
			return 200, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Add(time.Hour).Unix()))), nil
		}
		var fast, all float64
		for i := range n {
			if strings.Contains(query, fmt.Sprintf(`10\\.0\\.0\\.%d:80`, i)) {
				fast, all = fast+share(i), all+1
			}
		}
		if all == 0 {
			return 200, asJSON, strings.NewReader(success("vector", "[]")), nil
		}
		span := spanForm.FindStringSubmatch(query)
		minutes, _ := strconv.ParseFloat(span[1], 64)
		secs, _ := strconv.ParseFloat(span[2], 64)
		k := 10 * (60*minutes + secs) * all
		if strings.Contains(query, "_bucket") {
			k *= fast / all
		}
		if !ranged {
			return 200, asJSON, strings.NewReader(vector(fmt.Sprint(k))), nil
		}
		start, _ := strconv.ParseFloat(form.Get("start"), 64)
		end, _ := strconv.ParseFloat(form.Get("end"), 64)
		step, _ := strconv.ParseFloat(form.Get("step"), 64)
		var vs []string
		for at := start; at <= end+1e-6; at += step {
			vs = append(vs, fmt.Sprintf(`[%.3f,"%g"]`, at, k))
		}
		return 200, asJSON, strings.NewReader(success("matrix", fmt.Sprintf(`[{"metric":{},"values":[%s]}]`, strings.Join(vs, ",")))), nil
	}
}

// The last stage, without control, compares its own targets with themselves, and not with the
// canaries of earlier stages, which always were slower.
func TestLastStageComparesItsOwnTargets(t *testing.T) {
	took := slow(0.1)
	took.Slow.Histogram = "took_seconds{$exposed}"
	h, b := promSpec(took), promBinding(8, 8)
	h.StaleAfter, h.Without = seconds(7200), []string{spec.CheckAlive, spec.CheckTraffic}
	b.Cohort, b.Control = b.Exposed[4:], nil
	b.Bake = 30 * time.Minute
	source := sized(8, func(i int) float64 {
		if i < 4 {
			return .6
		}
		return .8
	})
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
	require.NoError(t, err)
	b.Before, err = m.Baseline(t.Context(), looked)
	require.NoError(t, err)
	require.NotEmpty(t, b.Before.Past["slow"].Looks)
	b.Since = looked
	m, err = Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
	require.NoError(t, err)
	var res Result
	for n := range 60 {
		r, err := m.Look(t.Context(), looked.Add(time.Duration(15*(n+1))*time.Second))
		require.NoError(t, err)
		if res = r.Results[0]; res.Verdict == Fail {
			break
		}
	}
	require.Equal(t, Pass, res.Verdict, res.Sentence)
}
