package scrape

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What Prometheus reads is read.
func TestPagesThatPrometheusReads(t *testing.T) {
	q := asking(t, "r")
	for name, page := range map[string]struct{ kind, text string }{
		"a line twice":      {"", "# HELP r of 200\n# TYPE r counter\nr{code=\"200\"} 7\n# HELP r of 500\n# TYPE r counter\nr{code=\"500\"} 2\n"},
		"a type afterwards": {"", "r{code=\"200\"} 7\n# TYPE r counter\nr{code=\"500\"} 2\n"},
		"families mixed":    {"", "# TYPE r counter\nr{code=\"200\"} 7\n# TYPE q gauge\nq 1\nr{code=\"500\"} 2\n"},
		"a comment":         {"", "# made by hand\n\nr{code=\"200\"} 7 \nr{ code=\"500\", } 2\n"},
		"half a histogram":  {"", "# TYPE h histogram\nh_sum 1\nr{code=\"200\"} 7\nr{code=\"500\"} 2\n"},
		"OpenMetrics":       {"application/openmetrics-text; version=1.0.0", "# TYPE r unknown\nr{code=\"200\"} 7 # {id=\"a\"} 1\nr{code=\"500\"} 2\n# EOF\n"},
	} {
		for _, buffer := range []int{len(page.text), len(page.text) + 1, 40} { // at once, and in parts
			pg, err := q.read(strings.NewReader(page.text), make([]byte, buffer), page.kind)
			require.NoError(t, err, name)
			v, _, wrong := q.counter("r", pg)
			require.Empty(t, wrong, name)
			require.InDelta(t, 9, *v, 0, name)
		}
	}
	for kind, text := range map[string]string{
		"text/html": "<html>", "application/openmetrics-text": strings.Repeat("r{code=\"200\"} 7\n", 9), "application/vnd.google.protobuf": "\x00",
	} {
		_, err := q.read(strings.NewReader(text), make([]byte, 40), kind)
		require.ErrorContains(t, err, "not in Prometheus' text format", kind)
	}
}

func asking(tb testing.TB, exprs ...string) (q asked) {
	tb.Helper()
	for _, expr := range exprs {
		require.NoError(tb, q.add(expr))
	}
	return q
}

func FuzzPage(f *testing.F) {
	for _, page := range []string{
		"", "queue 3\n", "# TYPE requests_total counter\nrequests_total{code=\"500\"} 2 1000\n", "requests_total NaN\nqueue -Inf\n", "<html>", "queue{a=\"\\",
		"# TYPE queue histogram\nqueue_bucket{le=\"+Inf\"} 2\nqueue_sum 1\nqueue_count 2\n", "# TYPE queue summary\nqueue{quantile=\"0.9\"} 2\n", "{\"q\"} 1\n", "queue 1e400\n",
	} {
		f.Add([]byte(page))
	}
	q := asking(f, "queue")
	f.Fuzz(func(t *testing.T, data []byte) {
		pg, err := q.read(bytes.NewReader(data), make([]byte, 4096), "")
		if err != nil {
			return
		}
		if v, _, wrong := q.counter("queue", pg); v != nil && (wrong != "" || !(*v >= 0) || math.IsInf(*v, 0)) {
			t.Fatalf("counted %v (%s)", *v, wrong)
		}
		if v, _, wrong := q.gauge("queue", pg); v != nil && (wrong != "" || math.IsNaN(*v) || math.IsInf(*v, 0)) {
			t.Fatalf("read %v (%s)", *v, wrong)
		}
	})
}

// What a page says of its samples' age is by the target's clock, as is when it was written.
func TestSamplesByTheTargetsClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, off := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		pg := page{written: now.Add(off)}
		require.Equal(t, now.Add(-5*time.Second), pg.when(now.Add(off-5*time.Second), now))
		require.Equal(t, now, pg.when(time.Time{}, now))
	}
	require.Equal(t, now.Add(-time.Minute), page{}.when(now.Add(-time.Minute), now), "without a Date")
}
