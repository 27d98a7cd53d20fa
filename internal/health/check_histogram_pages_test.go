package health

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// tookPage is a page whose histogram counted so many, and so many of them fast.
func tookPage(fast, all float64) string {
	return fmt.Sprintf("# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.1\"} %g\ntook_seconds_bucket{le=\"0.5\"} %g\ntook_seconds_bucket{le=\"+Inf\"} %g\ntook_seconds_sum 1\ntook_seconds_count %g\n", fast, all, all, all)
}

// tookSpec compares the pages' histogram.
func tookSpec() spec.Health {
	c := latencies()
	c.Distribution = &spec.Distribution{Histogram: "took_seconds"}
	h := scrapeSpec(c)
	h.Without = []string{spec.CheckAlive, spec.CheckTraffic}
	return h
}

// oldPrograms looks 40 times; every target serves 20 requests a look, 80% fast, and has
// been up for long, when half of a million were fast. Spoil may change what a page shows.
func oldPrograms(t *testing.T, spoil func(look, i int, page string) string) (res Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 12)
		h := tookSpec()
		b := f.binding(4)
		b.Bake, b.Since = 5*time.Minute, time.Now()
		var s State
		for look := range 40 {
			time.Sleep(5 * time.Second)
			for i, target := range f.targets {
				n := 20 * float64(look)
				f.extra(target.ID, spoil(look, i, tookPage(500_000+.8*n, 1_000_000+n)))
			}
			res, s = lookOnFrom(t, f.open(t, h, b), s, time.Now())
		}
	})
	return res
}

// A page whose histogram cannot be read in a look does not make all that it has ever
// counted new in the next.
func TestUnreadableHistogramIsReadOnAsItWas(t *testing.T) {
	for name, broken := range map[string]string{
		"as it should be": "-", "NaN": tookPage(math.NaN(), math.NaN()), "left out": "", "no bucket for all": "# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.1\"} 3\n",
		"other buckets": "# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.2\"} 500000\ntook_seconds_bucket{le=\"+Inf\"} 1000400\n",
	} {
		t.Run(name, func(t *testing.T) {
			res := oldPrograms(t, func(look, i int, page string) string {
				if look == 20 && i == 0 && broken != "-" {
					return broken
				}
				return page
			})
			require.Less(t, res.Samples, 4000.0, res.Sentence)
			require.Equal(t, Pass, res.Verdict, res.Sentence)
		})
	}
}

// An idle target, whose histogram appears with its first request, hides nothing.
func TestIdleTargetWithoutHistogram(t *testing.T) {
	res := oldPrograms(t, func(_, i int, page string) string {
		if i == 11 {
			return ""
		}
		return page
	})
	require.Equal(t, Pass, res.Verdict, res.Sentence)
	res = oldPrograms(t, func(_, i int, page string) string {
		if i < 4 {
			return ""
		}
		return page
	})
	require.Equal(t, Unexercised, res.Verdict, res.Sentence)
	res = oldPrograms(t, func(int, int, string) string { return "" })
	require.Equal(t, NoData, res.Verdict, res.Sentence)
	require.Contains(t, res.Sentence, "no page has the histogram")
}

// Pages with very many buckets are not kept.
func TestTooManyBuckets(t *testing.T) {
	page := "# TYPE took_seconds histogram\n"
	for i := range 60 {
		page += fmt.Sprintf("took_seconds_bucket{le=\"%d\"} %d\n", i+1, i)
	}
	res := oldPrograms(t, func(int, int, string) string {
		return page + "took_seconds_bucket{le=\"+Inf\"} 100\ntook_seconds_count 100\ntook_seconds_sum 1\n"
	})
	require.Equal(t, NoData, res.Verdict)
	require.Contains(t, res.Sentence, "has 61 buckets, at most 40 are read of a page")
}
