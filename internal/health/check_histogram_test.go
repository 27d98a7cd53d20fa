package health

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

func latencies() spec.Check {
	return spec.Check{Name: "latency", Distribution: &spec.Distribution{Histogram: "took_seconds{$exposed}"}, Against: spec.AgainstControl, MinSamples: 100, Weight: 1}
}

var spanForm = regexp.MustCompile(`\[(?:(\d+)m)?(?:(\d+)s)?\]`)

// buckets answers a histogram of ten requests a second of each arm, of which such
// shares are within 0.1 and 0.5 seconds. A query for exposed targets names 10.0.0.0.
func buckets(exposed, control []float64) oracle {
	return func(query string, r *http.Request) (int, string, io.Reader, error) {
		if strings.HasPrefix(query, "max(timestamp(") {
			return 200, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Add(time.Hour).Unix()))), nil
		}
		within := control
		if strings.Contains(query, `10\\.0\\.0\\.0:80`) {
			within = exposed
		}
		if !strings.Contains(query, "_bucket") || within == nil {
			return 200, asJSON, strings.NewReader(success("vector", "[]")), nil
		}
		span := spanForm.FindStringSubmatch(query)
		minutes, _ := strconv.ParseFloat(span[1], 64)
		seconds, _ := strconv.ParseFloat(span[2], 64)
		total := 10 * (60*minutes + seconds)
		var series []string
		for i, le := range []string{"0.1", "0.5", "+Inf"} {
			series = append(series, fmt.Sprintf(`{"metric":{"le":%q},"value":[1772366460,"%g"]}`, le, total*append(slices.Clone(within), 1)[i]))
		}
		return 200, asJSON, strings.NewReader(success("vector", "["+strings.Join(series, ",")+"]")), nil
	}
}

// lookOnBuckets looks so often, each time as another worker would.
func lookOnBuckets(t *testing.T, source oracle, looks int) (Result, State) {
	t.Helper()
	h, b := promSpec(latencies()), promBinding(8, 2)
	h.StaleAfter = seconds(7200)
	b.Since, b.Bake = looked, 30*time.Minute
	var s State
	var res Result
	for n := range looks {
		m, err := Open(h, b, Deps{Transport: source})
		require.NoError(t, err)
		res, s = lookOnFrom(t, m, s, looked.Add(time.Duration(15*(n+1))*time.Second))
	}
	return res, s
}

func TestDistributions(t *testing.T) {
	usual := []float64{0.8, 0.99}
	for name, test := range map[string]struct {
		exposed, control []float64
		verdict          Verdict
		words            string
	}{
		"alike":              {usual, usual, Pass, "slower at no bound"},
		"slower":             {[]float64{0.4, 0.9}, usual, Fail, "slower at 100ms: 40% of exposed requests within it, 80% of control's"},
		"faster":             {[]float64{0.9, 0.99}, usual, Pass, "slower at no bound"},
		"no exposed buckets": {nil, usual, NoData, "neither classic nor native"},
		"no control buckets": {usual, nil, NoData, "neither classic nor native"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, s := lookOnBuckets(t, buckets(test.exposed, test.control), 60)
			require.Equal(t, test.verdict, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, test.words)
			if test.verdict != NoData {
				require.InDelta(t, 60*15*10, res.Samples, 15*10, "every request counts once")
				raw, err := json.Marshal(s)
				require.NoError(t, err)
				require.Less(t, len(raw), 4000, "it travels with every heartbeat")
			}
		})
	}
}

// What a native histogram shows is within powers of two.
func TestNativeBuckets(t *testing.T) {
	h := &model.SampleHistogram{Count: 10, Buckets: model.HistogramBuckets{
		{Lower: -0.001, Upper: 0.001, Count: 1}, {Lower: 0.0884, Upper: 0.125, Count: 4}, {Lower: 0.125, Upper: 0.1487, Count: 3}, {Lower: 2000, Upper: 4000, Count: 2},
	}}
	c := nativeIn(h)
	at := func(bound float64) float64 { return c.Counts[slices.Index(c.Bounds, bound)] }
	require.InDelta(t, 10, c.Total, 0)
	require.InDelta(t, 1, at(math.Ldexp(1, -9)), 0)
	require.InDelta(t, 5, at(0.125), 0)
	require.InDelta(t, 8, at(0.25), 0)
	require.InDelta(t, 8, at(1024), 0)
}

func TestClassicBuckets(t *testing.T) {
	inf := math.Inf(1)
	for words, within := range map[string]map[float64]float64{
		"has no bucket for all values": {0.1: 1, 0.5: 2},
		"has no bounds":                {inf: 3},
	} {
		_, why := classicIn(within)
		require.Contains(t, why, words)
	}
	c, why := classicIn(map[float64]float64{0.5: 2, inf: 3, 0.1: 1})
	require.Empty(t, why)
	require.Equal(t, []float64{0.1, 0.5}, c.Bounds)
	require.Equal(t, []float64{1, 2}, c.Counts)
}

// The past is what both arms have, from when both were there on.
func TestCommonPast(t *testing.T) {
	h := func(bound, n float64) sequential.Histogram {
		return sequential.Histogram{Bounds: []float64{bound}, Counts: []float64{n / 2}, Total: n}
	}
	p, ok := commonPast([2][]sequential.Histogram{{{}, h(1, 4), h(1, 6)}, {h(1, 2), h(1, 8), h(1, 10)}}, false)
	require.True(t, ok)
	require.Equal(t, [2]sequential.Packed{{2, 4, 3, 6}, {4, 8, 5, 10}}, p.Arms)
	p.Step = seconds(10)
	looks := p.looks()
	require.Len(t, looks, 2)
	require.Equal(t, -10*time.Second, looks[0].At)
	require.InDelta(t, 10, looks[1].Control.Total, 0)

	p, ok = commonPast([2][]sequential.Histogram{{h(1, 4)}, nil}, true)
	require.True(t, ok)
	require.Nil(t, p.looks()[0].Control)
	for _, arms := range [][2][]sequential.Histogram{
		{nil, nil}, {{h(1, 4)}, nil}, {{h(1, 4)}, {h(2, 4)}}, {{{}}, {{}}},
	} {
		_, ok = commonPast(arms, false)
		require.False(t, ok)
	}
}

// Metrics pages are read for histograms, too: what they grew by in each look.
func TestDistributionsOfPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 12)
		var fast, all [12]float64
		work := func(changed float64) {
			for i, target := range f.targets {
				share := 0.8
				if i < 4 {
					share = changed
				}
				fast[i], all[i] = fast[i]+20*share, all[i]+20
				f.extra(target.ID, tookPage(fast[i], all[i]))
			}
		}
		work(0.8)
		h := tookSpec()
		h.Scrape.Baseline = seconds(100)
		b := f.binding(4)
		b.Bake = 5 * time.Minute
		stop := time.NewTicker(5 * time.Second)
		defer stop.Stop()
		done := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop.C:
					work(0.8)
				case <-done:
					return
				}
			}
		}()
		var err error
		b.Before, err = f.open(t, h, b).Baseline(t.Context(), time.Now())
		close(done)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(b.Before.Histograms["latency"].looks()), 16)
		look := func(share float64, spoil func(i int)) Result {
			b.Since = time.Now()
			var s State
			var res Result
			for i := range 40 {
				time.Sleep(5 * time.Second)
				work(share)
				if spoil != nil {
					spoil(i)
				}
				res, s = lookOnFrom(t, f.open(t, h, b), s, time.Now())
			}
			return res
		}
		res := look(0.8, nil)
		require.Equal(t, Pass, res.Verdict, res.Sentence)
		require.InDelta(t, 39*4*20, res.Samples, 1, "every request counts once, from the second read on")
		require.Equal(t, Fail, look(0.3, nil).Verdict)
		res = look(0.8, func(i int) {
			if i == 20 { // a target starts anew
				fast[0], all[0] = 0, 0
				work(0.8)
			}
		})
		require.Equal(t, Pass, res.Verdict, res.Sentence)
		require.InDelta(t, 39*4*20, res.Samples, 4*20+20)
		res = look(0.8, func(int) {
			f.extra("t1", "# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.2\"} 5\ntook_seconds_bucket{le=\"+Inf\"} 5\n")
		})
		require.Equal(t, NoData, res.Verdict)
		require.Contains(t, res.Sentence, "its bounds are not those of other pages")
	})
}
