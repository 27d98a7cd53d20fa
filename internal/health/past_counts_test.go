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

// pastOracle answers range queries as a Prometheus whose counters grow by so much a second since a
// moment; it rounds times to milliseconds, as Prometheus does.
func pastOracle(since time.Time, rate func(query string) float64) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		answer := func(data string) (*http.Response, error) {
			return replied(r, data)
		}
		query := form.Get("query")
		if !strings.HasSuffix(r.URL.Path, "query_range") {
			return answer(vector("1"))
		}
		start, _ := strconv.ParseFloat(form.Get("start"), 64)
		end, _ := strconv.ParseFloat(form.Get("end"), 64)
		step, _ := strconv.ParseFloat(form.Get("step"), 64)
		window, _ := time.ParseDuration(query[strings.LastIndex(query, "[")+1 : strings.LastIndex(query, "]")])
		var values []string
		for at := start; at <= end+1e-6; at += step {
			ms := int64(at*1000 + 0.5)
			grown := min(window.Seconds(), float64(ms)/1000-float64(since.UnixMilli())/1000)
			if grown > 0 {
				values = append(values, fmt.Sprintf(`[%d.%03d,"%g"]`, ms/1000, ms%1000, rate(query)*grown))
			}
		}
		if len(values) == 0 {
			return answer(success("matrix", `[]`))
		}
		return answer(success("matrix", fmt.Sprintf(`[{"metric":{},"values":[%s]}]`, strings.Join(values, ","))))
	})
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// Every event of the past is in one look, whatever the moment at which one asks.
func TestPastOfAPrometheus(t *testing.T) {
	b := promBinding(4, 2)
	b.Bake = 10 * time.Minute
	for _, odd := range []time.Duration{0, 300 * time.Microsecond, 600 * time.Microsecond, 999_999} {
		now := looked.Add(odd)
		source := pastOracle(looked.Add(-4*time.Minute), func(query string) float64 {
			rate := 100.0
			if strings.Contains(query, "5..") {
				rate = 2
			}
			return rate
		})
		m, err := Open(promSpec(against()), b, Deps{Sources: sources, Forms: forms, Transport: source})
		require.NoError(t, err)
		before, err := m.Measure(t.Context(), now)
		require.NoError(t, err)
		p := before.Past["errors"]
		require.Len(t, p.Looks, 16, "%s: what was not there yet is no look: %+v", odd, p)
		for _, row := range p.Looks[1:] {
			require.InDeltaSlice(t, []float64{30, 1500, 30, 1500}, row, 0.1)
		}
	}
}

// Without a control two hours are read, but no more than since the last rollout; a source that
// refuses so much is asked for as long as the bake.
func TestPastWithoutControl(t *testing.T) {
	for name, tc := range map[string]struct {
		bake, refused time.Duration
		looks         int
		step          time.Duration
		earlier       time.Duration // how long ago a rollout ended
	}{
		"two hours":         {10 * time.Minute, 0, 480, 15 * time.Second, 0},
		"a longer bake":     {4 * time.Hour, 0, 480, 30 * time.Second, 0},
		"a rollout":         {10 * time.Minute, 0, 240, 15 * time.Second, time.Hour + 15*time.Second},
		"a recent one":      {10 * time.Minute, 0, 19, 15 * time.Second, 5 * time.Minute},
		"it is refused":     {20 * time.Minute, time.Hour, 80, 15 * time.Second, 0},
		"not for ten hours": {20 * time.Minute, 10 * time.Hour, 480, 15 * time.Second, 0},
	} {
		b := promBinding(4, 0)
		b.Bake = tc.bake
		if tc.earlier > 0 {
			b.Earlier = []source.EarlierRun{{From: looked.Add(-3 * time.Hour), To: looked.Add(-tc.earlier)}}
		}
		answers := pastOracle(looked.Add(-24*time.Hour), func(string) float64 { return 10 })
		asked := transport(func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			start, _ := strconv.ParseFloat(form.Get("start"), 64)
			end, _ := strconv.ParseFloat(form.Get("end"), 64)
			if tc.refused > 0 && end-start > tc.refused.Seconds() {
				return &http.Response{StatusCode: http.StatusUnprocessableEntity, Header: http.Header{"Content-Type": {asJSON}}, Body: io.NopCloser(strings.NewReader(`{"status":"error","error":"too much"}`)), Request: r}, nil
			}
			return answers.RoundTrip(r)
		})
		c := against()
		c.Against = spec.AgainstBefore
		m, err := Open(promSpec(c), b, Deps{Sources: sources, Forms: forms, Transport: asked})
		require.NoError(t, err)
		before, err := m.Measure(t.Context(), looked)
		require.NoError(t, err)
		p := before.Past["errors"]
		require.Len(t, p.Looks, tc.looks, "%s: %+v", name, before.Past)
		require.Equal(t, tc.step, p.Step.Std(), name)
	}
	for every, want := range map[time.Duration]time.Duration{
		time.Second: 2 * time.Hour, 30 * time.Second: 160 * time.Minute, time.Minute: 10 * time.Minute, // which are too few to tell an incident
	} {
		long, _ := SelfPast(time.Minute, every)
		require.Equal(t, want, long, every)
	}
}

// A source that knows nothing of the past leaves a comparison without one.
func TestNoPast(t *testing.T) {
	b := promBinding(4, 2)
	oracle := pastOracle(looked.Add(time.Hour), func(string) float64 { return 1 })
	m, err := Open(promSpec(against()), b, Deps{Sources: sources, Forms: forms, Transport: oracle})
	require.NoError(t, err)
	before, err := m.Measure(t.Context(), looked)
	require.NoError(t, err)
	require.Empty(t, before.Past["errors"].looks())
}

// A day of the past is read in pieces, and judged as a rollout would.
func TestReplays(t *testing.T) {
	b := promBinding(4, 2)
	b.Bake, b.Stages = 10*time.Minute, 2
	h := promSpec(against())
	h.Every = seconds(5)
	to := looked.Add(300 * time.Microsecond)
	replays, err := Replays(t.Context(), h, b, Deps{Sources: sources, Forms: forms, Transport: pastOracle(looked.Add(-48*time.Hour), func(query string) float64 {
		if strings.Contains(query, "5..") {
			return 2
		}
		return 100
	})}, every, to.Add(-24*time.Hour), to)
	require.NoError(t, err)
	require.Len(t, replays, 1)
	r := replays[0]
	require.Empty(t, r.Missing)
	require.Equal(t, "errors", r.Check)
	require.InDelta(t, 0.0005, r.Criteria.Alpha, 1e-9, "half of the rate for each of two stages")
	require.Len(t, r.Looks, 24*60*60/5)
	require.Equal(t, 5*time.Second, r.Looks[0].At)
	require.Equal(t, 24*time.Hour, r.Looks[len(r.Looks)-1].At)
	for i, l := range r.Looks {
		require.InDelta(t, 500, l.Exposed.Total, 0.1, "%d", i)
		require.InDelta(t, 10, l.Control.Bad, 0.1, "%d", i)
	}

	oracle := pastOracle(looked.Add(-time.Hour), func(string) float64 { return 100 })
	replays, err = Replays(t.Context(), h, b, Deps{Sources: sources, Forms: forms, Transport: oracle}, every, to.Add(-24*time.Hour), to)
	require.NoError(t, err)
	require.Empty(t, replays[0].Missing, "most of the span is from before the source was there")
	require.Len(t, replays[0].Looks, 24*60*60/5)
	for i, l := range replays[0].Looks {
		require.Equal(t, i >= 23*60*60/5, l.Exposed != nil, "%d", i)
	}

	scraped := scrapeSpec(spec.Check{Name: "errors", Bad: "errors_total", Total: "requests_total", Against: spec.AgainstControl})
	_, err = Replays(t.Context(), scraped, b, Deps{Sources: sources, Forms: forms}, every, to, to)
	require.ErrorIs(t, err, errNoPast)
	empty := Deps{Sources: sources, Forms: forms, Transport: answers(success("vector", "[]"))}
	replays, err = Replays(t.Context(), h, b, empty, every, to.Add(-time.Hour), to)
	require.NoError(t, err)
	require.NotEmpty(t, replays[0].Missing)
	require.Empty(t, replays[0].Looks)
}
