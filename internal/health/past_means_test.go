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

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

// pastOf answers range queries: for each series its labels and its value at a time.
func pastOf(series func(query string) map[string]func(at, window float64) float64) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		start, _ := strconv.ParseFloat(form.Get("start"), 64)
		end, _ := strconv.ParseFloat(form.Get("end"), 64)
		step, _ := strconv.ParseFloat(form.Get("step"), 64)
		query := form.Get("query")
		if step == 0 { // of now nothing is known
			return replied(r, vector())
		}
		window := 0.0
		if i := strings.LastIndex(query, "["); i >= 0 {
			d, _ := time.ParseDuration(query[i+1 : strings.LastIndex(query, "]")])
			window = d.Seconds()
		}
		var out []string
		for labels, value := range series(query) {
			var values []string
			for at := start; at <= end+1e-6; at += step {
				values = append(values, fmt.Sprintf(`[%.3f,"%g"]`, at, value(at, window)))
			}
			out = append(out, fmt.Sprintf(`{"metric":{%s},"values":[%s]}`, labels, strings.Join(values, ",")))
		}
		return replied(r, success("matrix", "["+strings.Join(out, ",")+"]"))
	})
}

// A day of the past of means is read in pieces, and judged as a rollout would: what changed on the
// exposed targets at noon is found at noon only.
func TestReplaysOfMeans(t *testing.T) {
	b := promBinding(20, 8)
	b.Bake, b.Stages = 10*time.Minute, 2
	h := promSpec(orders())
	h.FalseRollbackRate = 0.05
	from, noon := looked.Add(-24*time.Hour), looked.Add(-12*time.Hour)
	source := pastOf(func(query string) map[string]func(at, window float64) float64 {
		out := map[string]func(at, window float64) float64{}
		exposed := strings.Contains(query, `10\\.0\\.0\\.0:80`)
		changed := func(at float64) bool { return exposed && at > float64(noon.Unix()) }
		for i := range 20 {
			if strings.Contains(query, fmt.Sprintf(`10\\.0\\.0\\.%d:80`, i)) {
				out[fmt.Sprintf(`"instance":"10.0.0.%d:80"`, i)] = func(at, _ float64) float64 {
					v := steady(int(at)/15, i)
					if changed(at) {
						v *= 0.7
					}
					return v
				}
			}
		}
		return out
	})
	reruns, err := Replays(t.Context(), h, b, Deps{Sources: sources, Forms: forms, Transport: source}, every, from, looked)
	require.NoError(t, err)
	require.Len(t, reruns, 1)
	for _, r := range reruns {
		require.Empty(t, r.Missing)
		require.Equal(t, 24*time.Hour, r.Span)
		require.InDelta(t, 0.05/2, r.Criteria.Alpha, 1e-9)
		for at, want := range map[time.Duration]judge.Verdict{2 * time.Hour: Pass, 12 * time.Hour: Fail, 20 * time.Hour: Pass} {
			out := r.Judge(at)
			require.Equal(t, want, out.Verdict, "%s at %s: %s", r.Check, at, out.Evidence)
		}
	}

	reruns, err = Replays(t.Context(), h, b, Deps{Sources: sources, Forms: forms, Transport: answers(success("matrix", "[]"))}, every, from, looked)
	require.NoError(t, err)
	for _, r := range reruns {
		require.NotEmpty(t, r.Missing)
		require.Nil(t, r.Judge)
	}
	scraped := scrapeSpec(spec.Check{Name: "orders", Value: "orders", Against: spec.AgainstControl})
	_, err = Replays(t.Context(), scraped, b, Deps{Sources: sources, Forms: forms}, every, from, looked)
	require.ErrorIs(t, err, errNoPast)
}
