package health

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// A Prometheus that was away sees fewer requests than there were. Where no control is left to
// compare with, that is not taken for traffic that is gone.
func TestTrafficThatNobodyCounted(t *testing.T) {
	for _, tc := range []struct {
		name             string
		requests, points float64 // in the minute since the apply
		want             Verdict
		says             string
	}{
		{"all of it was seen", 6000, 60, Pass, "100 requests/s, 100 before"},
		{"most of it was seen", 4500, 45, Pass, "100 requests/s, 100 before"},
		{"little of it was seen", 1000, 10, NoData, "the targets were read only 17% of the time"},
		{"nothing of it was seen", 1000, 0, NoData, "the targets were read only 0.1% of the time"},
		{"all of it was seen, and half is gone", 2000, 60, Fail, "33 requests/s, 100 before"},
		{"most of it was seen, and half is gone", 1500, 45, Fail, "33 requests/s, 100 before"},
	} {
		h := promSpec(promRatio())
		h.Without = []string{spec.CheckAlive}
		b := promBinding(4, 4)
		b.Before = Baseline{From: looked.Add(-2 * time.Minute), At: looked.Add(-time.Minute), Exposed: 6000, Density: 1}
		r := lookProm(t, h, b, oracle(func(q string, r *http.Request) (int, string, io.Reader, error) {
			switch {
			case strings.HasPrefix(q, "max(count_over_time(requests_total{") && strings.HasSuffix(q, "[1m]))"):
				return answers(vector(fmt.Sprint(tc.points)))(q, r)
			case strings.Contains(q, "5.."):
				return answers(vector("0"))(q, r)
			}
			return answers(vector(fmt.Sprint(tc.requests)))(q, r)
		}))
		require.Equal(t, spec.CheckTraffic, r.Results[1].Check)
		require.Equal(t, tc.want, r.Results[1].Verdict, "%s: %s", tc.name, r.Results[1].Sentence)
		require.Contains(t, r.Results[1].Sentence, tc.says, tc.name)
	}
}

// A baseline notes how often the targets are read, for the stage that has no control.
func TestBaselineNotesTheDensity(t *testing.T) {
	h := promSpec(promRatio())
	h.Without = []string{spec.CheckAlive}
	for _, tc := range []struct {
		Exposed int
		want    float64
	}{{4, 0.2}, {2, 0}} {
		m, err := Open(h, promBinding(4, tc.Exposed), Deps{Sources: sources, Forms: forms, Transport: readEvery(5, 3600)})
		require.NoError(t, err)
		b, err := m.Baseline(t.Context(), looked)
		require.NoError(t, err)
		require.InDelta(t, tc.want, b.Density, 1e-9)
	}
}

var rangeOf = regexp.MustCompile(`\[(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\]`)

// readEvery is a Prometheus that has read targets with 100 requests a second at some interval, for
// so many seconds.
func readEvery(interval, age float64) oracle {
	return func(q string, r *http.Request) (int, string, io.Reader, error) {
		m := rangeOf.FindStringSubmatch(q)
		if m == nil {
			return answers(vector("1"))(q, r)
		}
		minutes, _ := strconv.Atoi(m[1])
		seconds, _ := strconv.Atoi(m[2])
		millis, _ := strconv.Atoi(m[3])
		read := min(age, float64(60*minutes+seconds)+float64(millis)/1000)
		if strings.Contains(q, "count_over_time") {
			return answers(vector(fmt.Sprint(read/interval)))(q, r)
		}
		return answers(vector(fmt.Sprint(100*read)))(q, r)
	}
}

// A Prometheus that has been there for 40 s knows nothing of the time before: what it counted is
// the traffic of these 40 s, and not of the whole window.
func TestTrafficBeforeInAYoungPrometheus(t *testing.T) {
	h := promSpec(promRatio())
	h.Without = []string{spec.CheckAlive}
	for name, age := range map[string]float64{"young": 40, "old": 3600} {
		t.Run(name, func(t *testing.T) {
			m, err := Open(h, promBinding(4, 4), Deps{Sources: sources, Forms: forms, Transport: readEvery(1, age)})
			require.NoError(t, err)
			b, err := m.Baseline(t.Context(), looked)
			require.NoError(t, err)
			known := b.At.Sub(b.From)
			require.InDelta(t, 100, b.Exposed/known.Seconds(), 10)
			require.Equal(t, age == 3600, known == h.Window.Std())
		})
	}
}
