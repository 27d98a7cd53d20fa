package scrape

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzPage(f *testing.F) {
	for _, page := range []string{
		"", "queue 3\n", "# TYPE requests_total counter\nrequests_total{code=\"500\"} 2 1000\n", "requests_total NaN\nqueue -Inf\n", "<html>", "queue{a=\"\\",
		"# TYPE queue histogram\nqueue_bucket{le=\"+Inf\"} 2\nqueue_sum 1\nqueue_count 2\n", "# TYPE queue summary\nqueue{quantile=\"0.9\"} 2\n", "{\"q\"} 1\n", "queue 1e400\n",
	} {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pg, err := parsePage(data)
		if err != nil {
			return
		}
		p := pick{name: "queue"}
		if v, _, wrong := p.counter(pg); v != nil && (wrong != "" || !(*v >= 0) || math.IsInf(*v, 0)) {
			t.Fatalf("counted %v (%s)", *v, wrong)
		}
		if v, _, wrong := p.gauge(pg); v != nil && (wrong != "" || math.IsNaN(*v) || math.IsInf(*v, 0)) {
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
