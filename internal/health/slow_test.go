package health

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// histogram is a page's histogram with so many requests within 100 ms and 250 ms, and in all.
func histogram(fast, fair, all int) string {
	return fmt.Sprintf(`# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} %d
took_seconds_bucket{le="0.25"} %d
took_seconds_bucket{le="+Inf"} %d
took_seconds_sum 1
took_seconds_count %d
`, fast, fair, all, all)
}

func slow(over float64) spec.Check {
	return spec.Check{
		Name: "slow", Slow: &spec.Slow{Histogram: "took_seconds", Over: spec.Latency(over)}, Against: spec.AgainstControl, MinSamples: 100,
	}
}

// Requests above a bucket's bound are counted from the buckets, exactly.
func TestSlowRequestsOfPages(t *testing.T) {
	for over, want := range map[float64]struct {
		verdict Verdict
		says    string
	}{
		0.25: {Unexercised /* one look is half of the evidence, at most */, "exposed 20% (2,000/10,000) vs control 5% (500/10,000)"},
		0.1:  {Pass, "exposed 30% (3,000/10,000) vs control 30% (3,000/10,000)"},
		0.2:  {NoData, "0.2 s is none of the histogram's bounds; the nearest are 0.1 s and 0.25 s"},
		0.05: {NoData, "0.05 s is none of the histogram's bounds; the smallest is 0.1 s"},
		9:    {NoData, "9 s is none of the histogram's bounds; the largest is 0.25 s"},
	} {
		f := newFarm(t, 2)
		f.extra("*", histogram(0, 0, 0))
		m := f.open(t, quiet(scrapeSpec(slow(over))), f.binding(1))
		f.look(t, m, 5*time.Second)
		f.extra("t0", histogram(7000, 8000, 10000))
		f.extra("t1", histogram(7000, 9500, 10000))
		res := f.look(t, m, 10*time.Second).Results[0]
		require.Equal(t, want.verdict, res.Verdict, "%v: %s", over, res.Sentence)
		require.Contains(t, res.Sentence, want.says)
		require.Equal(t, want.verdict == NoData, res.Impossible)
	}
}

// A Prometheus is asked for one bucket and for all requests; bounds may be written in more than one
// way.
func TestSlowRequestsOfAPrometheus(t *testing.T) {
	c := slow(1)
	c.Slow.Histogram = "took_seconds{$exposed}"
	buckets := 800
	source := oracle(func(query string, _ *http.Request) (int, string, io.Reader, error) {
		switch {
		case strings.HasPrefix(query, "max(timestamp("):
			return http.StatusOK, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Unix()))), nil
		case strings.HasPrefix(query, "count by (le)"):
			return http.StatusOK, asJSON, strings.NewReader(success("vector",
				`[{"metric":{"le":"0.5"},"value":[1,"1"]},{"metric":{"le":"2.0"},"value":[1,"1"]},{"metric":{"le":"+Inf"},"value":[1,"1"]}]`)), nil
		case strings.Contains(query, "_bucket"):
			require.Contains(t, query, `le=~"1|1\\.0|1e\\+00"`)
			if buckets == 0 {
				return http.StatusOK, asJSON, strings.NewReader(vector()), nil
			}
			return http.StatusOK, asJSON, strings.NewReader(vector(fmt.Sprint(buckets))), nil
		}
		return http.StatusOK, asJSON, strings.NewReader(vector("1000")), nil
	})
	res := lookProm(t, promSpec(c), promBinding(4, 2), source).Results[0]
	require.Equal(t, Pass, res.Verdict, res.Sentence)
	require.Contains(t, res.Sentence, "exposed 20% (200/1,000) vs control 20% (200/1,000)")
	buckets = 0
	res = lookProm(t, promSpec(c), promBinding(4, 2), source).Results[0]
	require.Equal(t, NoData, res.Verdict)
	require.Equal(t, "1 s is none of the histogram's bounds; the nearest are 0.5 s and 2 s", res.Sentence)
	require.True(t, res.Impossible)
}
